module github.com/wasmstream/wasmstream/internal/guestbuild/testdata/rows/go

go 1.24

require github.com/wasmstream/wasmstream/guest-sdk/go v0.0.0

replace github.com/wasmstream/wasmstream/guest-sdk/go => ../../../../../guest-sdk/go
