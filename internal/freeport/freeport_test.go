package freeport_test

import (
	"net"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"manta/internal/freeport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAllPortsDifferAndCanBeListenedOn(t *testing.T) {
	addresses, err := freeport.Loopback(50)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		listener, err := net.Listen("tcp", address) // fails if an address comes twice
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		if port := listener.Addr().(*net.TCPAddr).Port; port >= 32_768 {
			t.Errorf("port %d may be taken by a connection that goes out", port)
		}
	}
}

func TestAnErrorNamesAHostThatIsNotHere(t *testing.T) {
	if _, err := freeport.Find("192.0.2.1"); err == nil || !strings.Contains(err.Error(), "192.0.2.1") {
		t.Errorf("got %v", err)
	}
}
