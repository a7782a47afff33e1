// Package fakekafka makes kfake, the cluster in process of demonstrations and tests, keep Kafka's promises. It knows
// kfake and nothing else.
package fakekafka

import (
	"math"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Mend takes what kfake gets wrong out of its way. Every kfake cluster of ours must go through this, and listen by Listener.
func Mend(cluster *kfake.Cluster) {
	mendFetches(cluster)
	mendSyncs(cluster)
}

// mendFetches lets no answer to a fetch become full as a whole: kfake forgets then to name the aborted transactions in the
// partition at which it ends, and readers of committed records take those for committed. Each partition has the limit
// of the whole instead.
func mendFetches(cluster *kfake.Cluster) {
	cluster.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		fetch := r.(*kmsg.FetchRequest)
		for i := range fetch.Topics {
			for j := range fetch.Topics[i].Partitions {
				p := &fetch.Topics[i].Partitions[j]
				p.PartitionMaxBytes = min(p.PartitionMaxBytes, fetch.MaxBytes)
			}
		}
		fetch.MaxBytes = math.MaxInt32
		return nil, nil, false
	})
}
