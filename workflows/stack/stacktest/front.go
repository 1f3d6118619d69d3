package stacktest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Fronts stand before the real servers and add what these do not do by
// themselves: TLS, and answers that a server in another state would give.

// Certificate is a server's certificate for 127.0.0.1, and its own authority.
type Certificate struct {
	File    string // PEM
	KeyFile string // PEM
	pair    tls.Certificate
}

// NewCertificate writes the files into a folder of the test's.
func NewCertificate(t *testing.T) Certificate {
	t.Helper()
	made := httptest.NewUnstartedServer(http.NotFoundHandler())
	made.StartTLS()
	defer made.Close()
	pair, dir := made.TLS.Certificates[0], t.TempDir()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	c := Certificate{File: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), pair: pair}
	for _, file := range []struct {
		path, kind string
		der        []byte
	}{
		{c.File, "CERTIFICATE", pair.Certificate[0]}, {c.KeyFile, "PRIVATE KEY", key},
	} {
		if err := os.WriteFile(file.path, pem.EncodeToMemory(&pem.Block{Type: file.kind, Bytes: file.der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c Certificate) server() *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{c.pair}, NextProtos: []string{"h2"},
		ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12,
	}
}

// FrontTLS takes TLS connections that show a certificate, and passes what they
// say on to address. It returns its own address.
func FrontTLS(t *testing.T, c Certificate, address string) string {
	t.Helper()
	return front(t, func(from net.Conn) error {
		to, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		return join(tls.Server(from, c.server()), to, to)
	})
}

// FrontNATS does what a NATS server that requires TLS does: it says so in its
// first line, and then speaks TLS.
func FrontNATS(t *testing.T, c Certificate, address string) string {
	t.Helper()
	return front(t, func(from net.Conn) error {
		to, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		lines := bufio.NewReader(to)
		info, err := lines.ReadBytes('\n')
		if err != nil {
			return err
		}
		info = bytes.Replace(info, []byte("INFO {"), []byte(`INFO {"tls_required":true,`), 1)
		if _, err := from.Write(info); err != nil {
			return err
		}
		return join(tls.Server(from, c.server()), to, lines)
	})
}

// FrontSilent takes connections and says nothing.
func FrontSilent(t *testing.T) string {
	t.Helper()
	return front(t, func(from net.Conn) error {
		_, err := io.Copy(io.Discard, from)
		return err
	})
}

// FrontAt passes connections on from one address, at which nobody listens yet, to another.
func FrontAt(t *testing.T, address, to string) {
	t.Helper()
	frontAt(t, address, func(from net.Conn) error {
		conn, err := net.Dial("tcp", to)
		if err != nil {
			return err
		}
		return join(from, conn, conn)
	})
}

// front serves connections until the test ends.
func front(t *testing.T, serve func(net.Conn) error) string {
	t.Helper()
	return frontAt(t, "127.0.0.1:0", serve)
}

func frontAt(t *testing.T, address string, serve func(net.Conn) error) string {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	var open sync.Map
	t.Cleanup(func() {
		listener.Close()
		open.Range(func(conn, _ any) bool { conn.(net.Conn).Close(); return true })
	})
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			open.Store(conn, nil)
			go func() {
				_ = serve(conn) // the client sees how it ends
				conn.Close()
				open.Delete(conn)
			}()
		}
	}()
	return listener.Addr().String()
}

// join copies both ways until either side ends; replies are what to says.
func join(from, to net.Conn, replies io.Reader) error {
	defer to.Close()
	ended := make(chan error, 2)
	go func() { _, err := io.Copy(to, from); ended <- err }()
	go func() { _, err := io.Copy(from, replies); ended <- err }()
	return <-ended
}

// FrontS3 passes requests on to the S3 server at address, but for those that
// answer takes over, and returns its own address. A certificate makes it HTTPS.
func FrontS3(t *testing.T, address string, c *Certificate, answer func(http.ResponseWriter, *http.Request) bool, change func(*http.Response)) string {
	t.Helper()
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: address})
			r.Out.Host = r.In.Host // it is signed
		},
		ModifyResponse: func(r *http.Response) error {
			if change != nil {
				change(r)
			}
			return nil
		},
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer == nil || !answer(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	if c != nil {
		server.TLS = &tls.Config{Certificates: []tls.Certificate{c.pair}, MinVersion: tls.VersionTLS12}
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// Forbid answers requests of a method as S3 does where a policy denies them.
func Forbid(method string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method {
			return false
		}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`)
		return true
	}
}
