package stream

import (
	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/topology"
)

// argumentBytes is what the arguments of a function add to the size of a record in an input frame.
func argumentBytes(r *topology.Record) int {
	var second, third []byte
	if r.Extra != nil {
		second, third = r.Extra.Second, r.Extra.MappedKey
	}
	return abi.CallSize(0, 0, 0, len(second), len(third)) - abi.RecordSize(0, 0, 0)
}

// encodeCalls appends the input frame of a function with arguments to dst, which has exactly the capacity for it.
func (h *guestHandle) encodeCalls(dst []byte, in []topology.Record, header *abi.FrameHeader) {
	wants := h.component.Wants
	header.Flags |= abi.FrameHasArguments
	dst = abi.AppendFrameHeader(dst, header)
	r := abi.Record{Partition: header.Partition}
	for i := range in {
		rec := &in[i]
		r.Index, r.Timestamp, r.Offset = uint32(i), rec.Timestamp, rec.Offset
		if wants.Has(abi.WantKey) {
			r.Key = rec.Key
		}
		if wants.Has(abi.WantValue) {
			r.Value = rec.Value
		}
		r.Headers, r.HeaderCount = r.Headers[:0], 0
		if wants.Has(abi.WantHeaders) {
			r.Headers, r.HeaderCount = h.headerBlock(rec.Headers), len(rec.Headers)
		}
		r.Second, r.Third = nil, nil
		if rec.Extra != nil {
			r.Second, r.Third = rec.Extra.Second, rec.Extra.MappedKey
		}
		dst = abi.AppendCall(dst, &r)
	}
	if origin := in[0].Origin; origin != nil {
		dst = abi.AppendAux(dst, 0, origin.Topic)
	}
	abi.FinishFrame(dst, 0, len(in))
}

// headerBlock encodes headers in a buffer that the next call uses again.
func (h *guestHandle) headerBlock(headers []topology.Header) []byte {
	b := h.block[:0]
	for i := range headers {
		if headers[i].Value == nil {
			b = abi.AppendNullPair(b, headers[i].Key)
		} else {
			b = abi.AppendPair(b, headers[i].Key, headers[i].Value)
		}
	}
	h.block = b
	return b
}
