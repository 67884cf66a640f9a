package command

import (
	"errors"
	"net"
	"strconv"
)

// Listen is a flag with the address that a server listens at: HOST:PORT, or a port of the
// loopback interface. It is what net.Listen takes.
type Listen string

// ListenLoopback is a free port that only this machine can reach.
const ListenLoopback Listen = "127.0.0.1:0"

// Set implements flag.Value.
func (l *Listen) Set(text string) error {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = "127.0.0.1", text
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || host == "" && n == 0 {
		return errors.New("it is a port, such as 8080, or an address, such as 127.0.0.1:8080")
	}
	*l = Listen(net.JoinHostPort(host, port))
	return nil
}

// String implements flag.Value.
func (l *Listen) String() string { return string(*l) }
