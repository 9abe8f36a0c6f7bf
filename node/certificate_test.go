package node_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority is a certificate authority and what it has signed: files that NATS servers and clients read.
type authority struct {
	root                  string
	serverCert, serverKey string
	clientCert, clientKey string // of the user "worker"
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	dir := t.TempDir()
	key := newKey(t)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	sign := func(name string, of *x509.Certificate, public *ecdsa.PublicKey) string {
		der, err := x509.CreateCertificate(rand.Reader, of, root, public, key)
		if err != nil {
			t.Fatal(err)
		}
		return writePEM(t, filepath.Join(dir, name), "CERTIFICATE", der)
	}
	issue := func(name string, number int64, use x509.ExtKeyUsage) (cert, keyFile string) {
		own := newKey(t)
		der, err := x509.MarshalECPrivateKey(own)
		if err != nil {
			t.Fatal(err)
		}
		return sign(name+".pem", &x509.Certificate{
			SerialNumber: big.NewInt(number), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			NotBefore: root.NotBefore, NotAfter: root.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{use},
		}, &own.PublicKey), writePEM(t, filepath.Join(dir, name+"-key.pem"), "EC PRIVATE KEY", der)
	}
	a := authority{root: sign("root.pem", root, &key.PublicKey)}
	a.serverCert, a.serverKey = issue("server", 2, x509.ExtKeyUsageServerAuth)
	a.clientCert, a.clientKey = issue("worker", 3, x509.ExtKeyUsageClientAuth)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func writePEM(t *testing.T, path, kind string, der []byte) string {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
