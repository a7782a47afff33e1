package connect

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/wasmstream/wasmstream/connectors/config"
)

// Settings of a worker that others refer to.
const (
	groupKey          = "group.id"
	sessionTimeoutKey = "session.timeout.ms"
	heartbeatKey      = "heartbeat.interval.ms"
	signatureKey      = "inter.worker.signature.algorithm"
	verificationKey   = "inter.worker.verification.algorithms"
	overridePolicyKey = "connector.client.config.override.policy"
)

var (
	replicas   = countOrDefault("Replication factor must be positive and not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default")
	partitions = countOrDefault("Number of partitions must be positive, or -1 to use the broker's default")
)

// countOrDefault refuses numbers that are neither positive nor -1. Null passes.
func countOrDefault(why string) config.Check {
	return func(name string, value any) error {
		if n, err := strconv.Atoi(fmt.Sprint(value)); err == nil && n < 1 && n != -1 {
			return config.Invalid(name, value, why)
		}
		return nil
	}
}

// named refuses a blank name, with Kafka's text for it.
func named(text string) config.Check {
	return func(_ string, value any) error {
		if s, ok := value.(string); ok && strings.TrimSpace(s) == "" {
			return config.Exception(text)
		}
		return nil
	}
}

// checkListeners refuses what is no address to listen on.
func checkListeners(name string, value any) error {
	list, _ := value.([]string)
	for _, l := range list {
		u, err := url.Parse(l)
		if err != nil || !slices.Contains([]string{"http", "https"}, strings.ToLower(u.Scheme)) || u.Port() == "" {
			return config.Invalid(name, l, "want http://host:port or https://host:port")
		}
	}
	return nil
}

// checkAlgorithms refuses algorithms that nothing is signed with.
func checkAlgorithms(name string, value any) error {
	list, _ := value.([]string)
	if one, ok := value.(string); ok {
		list = []string{one}
	}
	for _, a := range list {
		if macAlgorithms[a] == nil {
			return config.Invalid(name, a, "Algorithm "+a+" not available")
		}
	}
	return nil
}

// groupFaults are faults of settings that do not fit each other.
func groupFaults(props config.Props) (out []string) {
	session, heartbeat := number(props, sessionTimeoutKey, 10000), number(props, heartbeatKey, 3000)
	if session >= 0 && heartbeat >= session {
		out = append(out, "Heartbeat must be set lower than the session timeout: "+heartbeatKey+" is "+strconv.Itoa(heartbeat)+", "+sessionTimeoutKey+" "+strconv.Itoa(session))
	}
	verified, _ := config.ParseType(verificationKey, props.Or(verificationKey, "HmacSHA256"), config.List)
	if list, ok := verified.([]string); ok && len(list) > 0 && !slices.Contains(list, strings.TrimSpace(props.Or(signatureKey, "HmacSHA256"))) {
		out = append(out, "Signature algorithm must be present in "+verificationKey+" list")
	}
	topics := map[string]string{}
	for _, name := range []string{"config.storage.topic", "offset.storage.topic", "status.storage.topic"} {
		topic := strings.TrimSpace(props.Or(name, ""))
		if other := topics[topic]; topic != "" && other != "" {
			out = append(out, "Invalid value "+topic+" for configuration "+name+": it is that of "+other+", and neither could be read")
		}
		topics[topic] = name
	}
	return out
}

// number is a setting that is a number, -1 for one that is none: that is a fault of its own.
func number(props config.Props, name string, def int) int {
	given, ok := props.Get(name)
	if !ok {
		return def
	}
	n, err := strconv.Atoi(strings.TrimSpace(given))
	if err != nil {
		return -1
	}
	return n
}
