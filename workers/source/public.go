package source

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// PublicClient is an HTTP client for URLs that strangers wrote: https only,
// also after redirects, and no address inside this network.
func PublicClient() *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: refuseInside}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:           dialer.DialContext,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: 30 * time.Second,
			IdleConnTimeout:       time.Minute,
			MaxIdleConnsPerHost:   16, // as many as OriginLimits lets read at once
		},
		CheckRedirect: onlyHTTPS,
	}
}

func onlyHTTPS(req *http.Request, via []*http.Request) error {
	if req.URL.Scheme != "https" {
		return errors.New("redirected away from https")
	}
	if len(via) >= 5 {
		return errors.New("redirected too often")
	}
	return nil
}

// refusedAddress is an address that URLs may not reach.
type refusedAddress struct{ addr netip.Addr }

func (e *refusedAddress) Error() string {
	return fmt.Sprintf("%s is not a public address", e.addr)
}

// refuseInside looks at the address that is really dialled, whatever the name resolved to before.
func refuseInside(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if addr := at.Addr().Unmap(); !public(addr) {
		return &refusedAddress{addr}
	}
	return nil
}

func public(a netip.Addr) bool {
	shared := netip.MustParsePrefix("100.64.0.0/10")
	return a.IsGlobalUnicast() && !a.IsPrivate() && !shared.Contains(a)
}
