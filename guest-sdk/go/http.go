package wasmstream

// Request is a request to a place that the configuration of the worker allows.
type Request struct {
	Method, URL string
	// Headers are names and values in turn. A setting of type PASSWORD is put in by the host where its value stands.
	Headers []string
	Body    []byte
}

// Response is the answer to a Request. Its bytes are its own.
type Response struct {
	Status  int
	Headers Headers // names are in lower case
	Body    []byte
}

// HTTP sends a request and waits for the answer. ErrDenied: the place is not allowed. ErrRetry: the network failed.
// Redirects are answers.
func HTTP(r *Request) (*Response, error) {
	block := appendPair(nil, []byte("method"), []byte(r.Method))
	block = appendPair(block, []byte("url"), []byte(r.URL))
	for i := 0; i+1 < len(r.Headers); i += 2 {
		block = appendPair(block, []byte("header."+r.Headers[i]), []byte(r.Headers[i+1]))
	}
	if r.Body != nil {
		block = appendPair(block, []byte("body"), r.Body)
	}
	n := hostHTTP(block)
	if n < 0 {
		return nil, Errno(n)
	}
	buf := aligned(int(n))
	if n := hostHTTPResponse(buf); n < 0 {
		return nil, Errno(n)
	}
	resp := new(Response)
	var headers HeaderBuilder
	for rest := buf; len(rest) > 0; {
		var k, v []byte
		k, v, rest = nextPair(rest)
		switch name := string(k); {
		case name == "status":
			resp.Status = int(parseInt(string(v)))
		case name == "body":
			resp.Body = v
		case len(name) > len("header."):
			headers.Add(name[len("header."):], v)
		}
	}
	resp.Headers = headers.Headers()
	return resp, nil
}
