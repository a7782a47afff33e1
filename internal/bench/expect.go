package bench

import (
	"bytes"
	"encoding/binary"
)

// counts are the last values of keys that are numbers.
type counts map[string]uint64

func (c counts) set(key, value []byte) { c[string(key)] = binary.BigEndian.Uint64(value) }

func (c counts) digest(d *digest) {
	for key, n := range c {
		d.add([]byte(key), binary.BigEndian.AppendUint64(nil, n))
	}
}

func expectCopy(data []DataSet, d *digest) error {
	return data[0].each(func(key, value []byte, _ int64) { d.add(key, value) })
}

func expectEnriched(data []DataSet, d *digest) error {
	var out []byte
	return data[0].each(func(key, value []byte, _ int64) {
		out = Enrich(out[:0], value)
		d.add(key, out)
	})
}

func expectWords(data []DataSet, d *digest) error {
	words := counts{}
	err := data[0].each(func(_, value []byte, _ int64) {
		for word := range bytes.SplitSeq(value, []byte(" ")) {
			words[string(word)]++
		}
	})
	words.digest(d)
	return err
}

func expectBuys(data []DataSet, d *digest) error {
	buys := counts{}
	err := data[0].each(func(key, value []byte, _ int64) {
		if read(value).Type == "buy" {
			buys[string(key)]++
		}
	})
	buys.digest(d)
	return err
}

func expectWindows(data []DataSet, d *digest) error {
	windows, size := counts{}, windowSize.Milliseconds()
	err := data[0].each(func(key, _ []byte, timestamp int64) {
		windows[string(binary.BigEndian.AppendUint64(key, uint64(timestamp-timestamp%size)))]++
	})
	windows.digest(d)
	return err
}

func expectProfiles(data []DataSet, d *digest) error {
	profiles := make(map[string][]byte, data[1].Records)
	if err := data[1].each(func(key, value []byte, _ int64) { profiles[string(key)] = value }); err != nil {
		return err
	}
	var out []byte
	return data[0].each(func(key, value []byte, _ int64) {
		if profile, ok := profiles[string(key)]; ok {
			out = withProfile(out[:0], value, profile)
			d.add(key, out)
		}
	})
}

func expectPairs(data []DataSet, d *digest) error {
	type order struct {
		value []byte
		at    int64
	}
	orders, span := map[string][]order{}, joinSpan.Milliseconds()
	if err := data[1].each(func(key, value []byte, at int64) {
		orders[string(key)] = append(orders[string(key)], order{value, at})
	}); err != nil {
		return err
	}
	var out []byte
	return data[0].each(func(key, value []byte, at int64) {
		for _, o := range orders[string(key)] {
			if o.at >= at-span && o.at <= at+span {
				out = pair(out[:0], value, o.value)
				d.add(key, out)
			}
		}
	})
}
