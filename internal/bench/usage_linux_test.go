package bench

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
)

const tellPeak = "WASMSTREAM_BENCH_TELL_PEAK"

func TestMain(m *testing.M) {
	if os.Getenv(tellPeak) != "" {
		_, _ = os.Stdout.WriteString(strconv.FormatInt(peakRSS(), 10))
		return
	}
	os.Exit(m.Run())
}

// TestThePeakIsTheProcessesOwn: an application that a large process starts is not as large for that.
func TestThePeakIsTheProcessesOwn(t *testing.T) {
	const ballast = 256 << 20
	b := make([]byte, ballast)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	if mine := peakRSS(); mine < ballast {
		t.Errorf("%d bytes are the peak of a process that holds %d", mine, ballast)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), tellPeak+"=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if its, err := strconv.ParseInt(string(out), 10, 64); err != nil || its <= 0 || its >= ballast {
		t.Errorf("the peak of a small process is told as %q bytes", out)
	}
	runtime.KeepAlive(b)
}
