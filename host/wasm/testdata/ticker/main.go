// A guest in plain Go, without an SDK, that does what programs do and guests cannot: it sleeps, waits for tickers,
// reads the clock, random numbers, arguments, the environment and files, writes lines, and runs goroutines. What it
// finds it tells on standard output.
package main

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"time"
	"unsafe"
)

func main() {}

//go:wasmexport ws_abi_v1
func marker() int32 { return 1 }

var region [1 << 16]uint64

//go:wasmexport ws_reserve
func reserve(n int32) unsafe.Pointer {
	if int(n) > len(region)*8 {
		return nil
	}
	return unsafe.Pointer(&region)
}

//go:wasmexport ws_open
func open(ptr unsafe.Pointer, n int32) int32 { return 0 }

const manifest = `{"abi":1,"name":"ticker","components":[{"name":"c","kind":"process"}]}`

//go:wasmexport ws_describe
func describe(buf unsafe.Pointer, n int32) int32 {
	if int(n) >= len(manifest) {
		copy(unsafe.Slice((*byte)(buf), n), manifest)
	}
	return int32(len(manifest))
}

//go:wasmexport ws_process
func process(handle int32, ptr unsafe.Pointer, n int32) int64 {
	start := time.Now()
	time.Sleep(time.Hour)
	fmt.Println("slept an hour:", time.Since(start) >= time.Hour, time.Since(start) < 2*time.Hour)
	tick := time.NewTicker(time.Minute)
	for range 3 {
		<-tick.C
	}
	tick.Stop()
	fmt.Println("ticked")
	select {
	case <-time.After(time.Second):
		fmt.Println("timed out")
	case <-make(chan int):
	}
	sums := make(chan int)
	for i := range 4 {
		go func() { time.Sleep(time.Duration(4-i) * time.Millisecond); sums <- i }()
	}
	fmt.Println("order:", <-sums, <-sums, <-sums, <-sums)
	var b [8]byte
	_, err := rand.Read(b[:])
	fmt.Println("random:", b != [8]byte{}, err)
	fmt.Println("arguments:", len(os.Args), "environment:", len(os.Environ()))
	_, err = os.ReadFile("/etc/passwd")
	fmt.Println("a file:", err != nil)
	_, err = net.Dial("tcp", "127.0.0.1:80")
	fmt.Println("a connection:", err != nil)
	fmt.Fprint(os.Stderr, "to stderr \x1b[31m\x07\r\nhalf a line")
	return 0
}
