//go:build unix

package kafka

import (
	"net"
	"syscall"
	"testing"
)

// TestTheReceiveBufferIsTheSystems: a socket has the system's receive buffer, which grows with need, until someone asks
// for another size.
func TestTheReceiveBufferIsTheSystems(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	plain, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	asked := func(props Properties) int {
		t.Helper()
		props["bootstrap.servers"] = listener.Addr().String()
		checked, err := checkedProperties(Consumer, props, "test")
		if err != nil {
			t.Fatal(err)
		}
		d, err := newDialer(checked, "test", NewConnections())
		if err != nil {
			t.Fatal(err)
		}
		conn, err := d.DialContext(t.Context(), "tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return receiveBuffer(t, conn.(*connection).Conn)
	}
	system := receiveBuffer(t, plain)
	for _, props := range []Properties{{}, {"receive.buffer.bytes": "-1"}} {
		if got := asked(props); got != system {
			t.Errorf("with %v the receive buffer has %d bytes, want the system's %d", props, got, system)
		}
	}
	small := Properties{"receive.buffer.bytes": "16384"}
	if got := asked(small); got < 16384 || got >= system {
		t.Errorf("with %v the receive buffer has %d bytes, the system's %d", small, got, system)
	}
}

// receiveBuffer is SO_RCVBUF of a connection. Linux doubles what was asked for, for its own part.
func receiveBuffer(t *testing.T, conn net.Conn) int {
	t.Helper()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var size int
	var failure error
	if err := raw.Control(func(fd uintptr) {
		size, failure = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF)
	}); err != nil || failure != nil {
		t.Fatal(err, failure)
	}
	return size
}
