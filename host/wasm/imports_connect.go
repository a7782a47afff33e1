package wasm

import (
	"time"

	"github.com/wasmstream/wasmstream/abi"
)

// SourceHost is a Host of sources.
type SourceHost interface {
	// OffsetGet is the datum of the offset that was committed for the partition of a datum, with code 0, or abi.NotFound.
	OffsetGet(partition []byte) (offset []byte, code int32)
}

// EgressHost is a Host through which a guest reaches the network.
type EgressHost interface {
	// HTTP sends a request and returns the answer, both blocks of pairs (abi/SPEC.md, 12). It blocks no longer than the
	// host's own limits allow, whose time is not counted against the guest's.
	HTTP(request []byte) (response []byte, code int32)
}

var connectFunctions = map[string]hostFunc{abi.FnOffsetGet: (*Instance).hostOffsetGet}

var egressFunctions = map[string]hostFunc{
	abi.FnHTTP:         (*Instance).hostHTTP,
	abi.FnHTTPResponse: (*Instance).hostHTTPResponse,
}

// fuelHTTP is the fuel of one request, beside its bytes: a guest that sends in a loop is to use up its budget.
const fuelHTTP = 1 << 20

func (in *Instance) hostOffsetGet(s []uint64) {
	partition, ok := in.bytes(s[0], s[1])
	host, granted := in.host.(SourceHost)
	switch {
	case !ok || !in.fits(s[2], s[3]):
		s[0] = errno(abi.InvalidArg)
	case !granted:
		s[0] = errno(abi.Denied)
	default:
		in.budget.charge(fuelStore)
		offset, code := host.OffsetGet(partition)
		if code < 0 {
			s[0] = i32(code)
			return
		}
		s[0] = in.answer(offset, s[2], s[3])
	}
}

func (in *Instance) hostHTTP(s []uint64) {
	request, ok := in.bytes(s[0], s[1])
	host, granted := in.host.(EgressHost)
	in.response = nil
	switch {
	case !ok:
		s[0] = errno(abi.InvalidArg)
	case !granted:
		s[0] = errno(abi.Denied)
	default:
		in.budget.charge(fuelHTTP)
		began := time.Now()
		response, code := host.HTTP(request)
		in.budget.waited(time.Since(began))
		if code < 0 {
			s[0] = i32(code)
			return
		}
		in.response = response
		s[0] = uint64(uint32(len(response)))
	}
}

func (in *Instance) hostHTTPResponse(s []uint64) {
	switch {
	case !in.fits(s[0], s[1]):
		s[0] = errno(abi.InvalidArg)
	case in.response == nil:
		s[0] = errno(abi.NotFound)
	default:
		s[0] = in.answer(in.response, s[0], s[1])
	}
}
