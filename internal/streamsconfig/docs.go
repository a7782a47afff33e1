package streamsconfig

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/internal/kafka"
)

// Markdown is docs/configuration.md: every setting with its answer.
func Markdown() string {
	var b strings.Builder
	b.WriteString(head)
	b.WriteString("\n## Kafka Streams\n\n")
	table(&b, Keys())
	b.WriteString("\n## wasmstream's own\n\n")
	table(&b, OwnKeys())
	b.WriteString(clientHead)
	for _, c := range []struct {
		title string
		kind  kafka.Kind
	}{{"Consumer", kafka.Consumer}, {"Producer", kafka.Producer}, {"Admin", kafka.Admin}} {
		fmt.Fprintf(&b, "\n### %s\n\n", c.title)
		table(&b, clientOnly(c.kind))
	}
	fmt.Fprintf(&b, "\n### All clients\n\n")
	table(&b, shared())
	b.WriteString(tagsPart)
	fmt.Fprintf(&b, "\n## Internal topics\n\n`topic.` and a setting of Kafka's topics sets it on changelogs and repartition topics: %s.\n", strings.Join(kafka.TopicKeyNames(), ", "))
	return b.String()
}

const head = `# Configuration

Settings are spelled as Kafka spells them and mean what they mean in Kafka Streams 4.3.1. They stand in the ` + "`config`" + `
section of an application. What is stronger wins over what is weaker:

1. ` + "`--set KEY=VALUE`" + ` and ` + "`--bootstrap-server`" + `
2. environment variables: ` + "`WASMSTREAM_`" + ` and the key in capitals with ` + "`_`" + ` for ` + "`.`" + `, such as ` + "`WASMSTREAM_COMMIT_INTERVAL_MS`" + `
3. the file
4. the default

` + "`wasmstream describe -f app.yaml --effective-config --show-origin`" + ` shows the values that hold and where each comes from.

Values may be written as in Kafka, or with a unit: ` + "`30s`" + ` for a key in ` + "`.ms`, `64MiB`" + ` for bytes. ` + "`${env:NAME}`, `${env:NAME:-default}`" + `
and ` + "`${file:path}`" + ` stand for a variable and a file's content; ` + "`$$`" + ` is a dollar sign. Classes of Kafka (handlers, extractors,
serdes) are named with or without their package. A key that is not known is an error. *Refused* means that any value but
the default is an error, with the reason given here.

One default deviates from Kafka's: ` + "`default.key.serde` and `default.value.serde`" + ` are bytes when unset; Kafka since 3.0 refuses
to start instead. Under ` + "`exactly_once_v2`, `commit.interval.ms`" + ` is 100 unless set, as in Kafka.
`

const tagsPart = `
## Tags

` + "`client.tag.NAME`" + ` gives the process a tag, at most five, whose names have 20 letters at most and values 30. ` + "`rack.aware.assignment.tags`" + `
names those in which the copies of a task's state should differ, such as the zone of a cloud.
`

const clientHead = `
## Clients

The properties of Kafka's clients stand beside the settings above. Without a prefix a property holds for every client
that has it; ` + "`consumer.`, `producer.` and `admin.`" + ` direct it to one, ` + "`main.consumer.` and `restore.consumer.`" + ` to one consumer.
*No effect* means that any value is taken and changes nothing, for the reason given; a warning says so at start. Defaults
are those of Kafka's clients; for its own clients Kafka Streams sets ` + "`auto.offset.reset` earliest, `max.poll.records` 1000, `linger.ms`" + `
100 and, under exactly_once_v2, ` + "`isolation.level` read_committed, `transaction.timeout.ms` 10000 and `delivery.timeout.ms`" + ` without end. Where Kafka's
defaults would cost memory or time, ` + "`fetch.max.bytes` is 256 KiB, `fetch.max.wait.ms` 10 and `buffer.memory`" + ` 16 MiB in a
running application, ` + "`max.poll.records`" + ` has no bound, because what waits is bounded by the buffers, and ` + "`receive.buffer.bytes`" + `
is left to the system, whose buffer grows; all hold as set once they are set.
`

func table(b *strings.Builder, keys []kafka.Key) {
	b.WriteString("| key | default | answer | meaning, or reason |\n| --- | --- | --- | --- |\n")
	for _, k := range keys {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", k.Name, defaultText(k), k.Answer, strings.ReplaceAll(k.Note, "|", `\|`))
	}
}

func defaultText(k kafka.Key) string {
	switch k.Default {
	case kafka.Null:
		return "unset"
	case kafka.Required:
		return "required"
	case "":
		return "empty"
	}
	return "`" + simpleClassOf(k) + "`"
}

func simpleClassOf(k kafka.Key) string {
	if k.Type == kafka.Class || k.Name == "metric.reporters" {
		return simpleClass(k.Default)
	}
	return k.Default
}

// shared are the properties that all three clients have.
func shared() []kafka.Key {
	return slices.DeleteFunc(kafka.ClientKeys(kafka.Consumer), func(k kafka.Key) bool {
		return !has(kafka.Producer, k.Name) || !has(kafka.Admin, k.Name)
	})
}

func clientOnly(kind kafka.Kind) []kafka.Key {
	common := shared()
	return slices.DeleteFunc(kafka.ClientKeys(kind), func(k kafka.Key) bool {
		return slices.ContainsFunc(common, func(c kafka.Key) bool { return c.Name == k.Name })
	})
}

func has(kind kafka.Kind, name string) bool {
	return slices.ContainsFunc(kafka.ClientKeys(kind), func(k kafka.Key) bool { return k.Name == name })
}
