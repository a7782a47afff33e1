#!/usr/bin/env bash
# A real Apache Kafka from Maven Central on 127.0.0.1 (KRaft: broker and controller in one process).
#   kafka.sh fetch                 the jars, once (about 55 MB)
#   kafka.sh start DIR [PORT [N]]  N nodes (1 or 3) on PORT, PORT+1, ...; controllers on PORT+1000, ...; those that run
#                                  already stay as they are
#   kafka.sh stop DIR              stops the nodes of DIR
#   kafka.sh kill DIR              the same by SIGKILL, for nodes of a test
#   kafka.sh tool CLASS ARG...     one of Kafka's own commands
#   kafka.sh connect standalone|distributed DIR WORKER.properties [CONNECTOR...]
#                                  a worker of Kafka Connect, in DIR, until it is killed; its log is DIR/worker.out
# KAFKA_PROXIED: if set, a node on PORT listens on PORT+2000 as well, and says there that it is on PORT+3000, where a proxy is.
# KAFKA_SESSION: how long a node may be silent until its controller does without it (3000 ms; a node that was killed comes back after that).
# KAFKA_LIBS: folder of the jars (default .cache/kafka-libs of the checkout). KAFKA_HEAP: heap of a node (256m).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
libs=${KAFKA_LIBS:-$root/.cache/kafka-libs}
heap=${KAFKA_HEAP:-256m}
version=4.3.1
log4j=2.25.3
never=86400000 # ms; what tests write is of long ago, and would be compacted and deleted beside them by the next look
cluster=d2FzbXN0cmVhbS10ZXN0cw

fetch() {
  [[ -f $libs/.complete-$version-connect ]] && return 0
  command -v mvn > /dev/null || { echo "kafka: mvn is missing: install a JDK 17 and Maven (Debian: openjdk-17-jdk-headless maven)" >&2; exit 3; }
  mkdir -p "$libs"
  mvn -q -B -f "$root/.ci/kafka-pom.xml" -Dkafka.version="$version" -Dlog4j.version="$log4j" \
    dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$libs"
  touch "$libs/.complete-$version-connect"
}

# quiet writes a log4j configuration: lines of LEVEL and above, to FILE's standard output.
quiet() {
  printf '%s\n' "rootLogger.level=$2" rootLogger.appenderRefs=out rootLogger.appenderRef.out.ref=OUT \
    appender.out.type=Console appender.out.name=OUT appender.out.target=SYSTEM_"$3" \
    appender.out.layout.type=PatternLayout 'appender.out.layout.pattern=%p %m (%c)%n%throwable' > "$1"
}

tool() {
  local conf=$libs/log4j2-tools.properties
  [[ -f $conf ]] || quiet "$conf" error ERR
  exec java -Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dlog4j2.configurationFile="$conf" -cp "$libs/*" "$@"
}

connect() {
  local mode=$1 dir=$2 main=org.apache.kafka.connect.cli.ConnectStandalone
  shift 2
  [[ $mode == standalone ]] || main=org.apache.kafka.connect.cli.ConnectDistributed
  fetch
  quiet "$dir/log4j2.properties" info OUT
  cd "$dir"
  # shellcheck disable=SC2086
  exec java -Xmx"${CONNECT_HEAP:-256m}" ${CONNECT_JVM_OPTS:--XX:+UseSerialGC -XX:TieredStopAtLevel=1} \
    -Dlog4j2.configurationFile="$dir/log4j2.properties" -cp "$libs/*" "$main" "$@" > "$dir/worker.out" 2>&1
}

# properties DIR ID PORT N BASE: server.properties of one node
properties() {
  local dir=$1 id=$2 port=$3 n=$4 base=$5 voters="" listen="" advertise="" i
  if [[ -n ${KAFKA_PROXIED:-} ]]; then
    listen=,PROXIED://127.0.0.1:$((port + 2000)) advertise=,PROXIED://127.0.0.1:$((port + 3000))
  fi
  for (( i = 0; i < n; i++ )); do voters+="${voters:+,}$i@127.0.0.1:$((base + 1000 + i))"; done
  cat > "$dir/server.properties" <<P
process.roles=broker,controller
node.id=$id
controller.quorum.voters=$voters
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1000))$listen
advertised.listeners=PLAINTEXT://127.0.0.1:$port$advertise
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=$dir/data
default.replication.factor=$n
offsets.topic.replication.factor=$n
transaction.state.log.replication.factor=$n
transaction.state.log.min.isr=$(( n > 1 ? 2 : 1 ))
share.coordinator.state.topic.replication.factor=$n
share.coordinator.state.topic.min.isr=$(( n > 1 ? 2 : 1 ))
min.insync.replicas=$(( n > 1 ? 2 : 1 ))
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=${KAFKA_SESSION:-3000}
broker.heartbeat.interval.ms=500
auto.create.topics.enable=false
log.initial.task.delay.ms=$never
log.retention.check.interval.ms=$never
log.cleaner.backoff.ms=$never
P
}

launch() {
  local dir=$1
  quiet "$dir/log4j2.properties" info OUT
  if [[ ! -f $dir/data/meta.properties ]]; then
    java -Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dlog4j2.configurationFile="$dir/log4j2.properties" -cp "$libs/*" \
      kafka.tools.StorageTool format -t "$cluster" -c "$dir/server.properties" > "$dir/format.log" 2>&1 || { cat "$dir/format.log" >&2; exit 3; }
  fi
  # shellcheck disable=SC2086
  nohup setsid java -Xms"$heap" -Xmx"$heap" ${KAFKA_JVM_OPTS:--XX:+UseSerialGC -XX:TieredStopAtLevel=1} \
    -Dlog4j2.configurationFile="$dir/log4j2.properties" -cp "$libs/*" kafka.Kafka "$dir/server.properties" \
    > "$dir/server.out" 2>&1 < /dev/null &
  echo $! > "$dir/pid"
}

running() {
  [[ -f $1/pid ]] && kill -0 "$(cat "$1/pid")" 2> /dev/null
}

await() {
  local dir=$1 i
  for (( i = 0; i < 1200; i++ )); do
    if grep -q 'Kafka Server started' "$dir/server.out" 2> /dev/null; then return 0; fi
    kill -0 "$(cat "$dir/pid")" 2> /dev/null || { tail -20 "$dir/server.out" >&2; exit 3; }
    sleep 0.05
  done
  echo "kafka: not ready after 60 s, see $dir/server.out" >&2
  exit 3
}

start() {
  local root=$1 base=${2:-9092} n=${3:-1} i
  fetch
  for (( i = 0; i < n; i++ )); do
    if running "$root/node$i"; then continue; fi
    mkdir -p "$root/node$i"
    properties "$root/node$i" "$i" $((base + i)) "$n" "$base"
    launch "$root/node$i"
  done
  for (( i = 0; i < n; i++ )); do await "$root/node$i"; done
  echo "Apache Kafka $version on 127.0.0.1:$base, stop it with: $0 stop $root"
}

# stop DIR: all nodes at once. Those that lose their quorum by that would wait for it for long, and are killed.
stop() {
  local f i
  for f in "$1"/node*/pid; do [[ ! -f $f ]] || kill "$(cat "$f")" 2> /dev/null || true; done
  for f in "$1"/node*/pid; do
    [[ -f $f ]] || continue
    for (( i = 0; i < 100; i++ )); do running "${f%/pid}" || break; sleep 0.1; done
  done
  kill_nodes "$1"
}

# kill_nodes DIR: at once, for data that nobody wants any more
kill_nodes() {
  local f i
  for f in "$1"/node*/pid; do
    [[ -f $f ]] || continue
    kill -9 "$(cat "$f")" 2> /dev/null || true
    for (( i = 0; i < 100; i++ )); do running "${f%/pid}" || break; sleep 0.05; done
    rm -f "$f"
  done
}

case ${1:-} in
  fetch) fetch ;;
  start) start "${2:?DIR}" "${3:-9092}" "${4:-1}" ;;
  stop) stop "${2:?DIR}" ;;
  kill) kill_nodes "${2:?DIR}" ;;
  tool) shift; tool "$@" ;;
  connect) shift; connect "$@" ;;
  *) sed -n '2,13p' "$0"; exit 2 ;;
esac
