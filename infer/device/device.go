// Package device names what graphs run on: auto, cpu, cuda:N, tensorrt:N. It is
// pure, so that what keeps tokens by their device names it as infer/onnx does.
package device

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Provider is ONNX Runtime's way to run a graph, as keys and records name it.
type Provider string

// The providers.
const (
	Auto     Provider = "auto" // CUDA where it can, else the CPU
	CPU      Provider = "cpu"
	CUDA     Provider = "cuda"
	TensorRT Provider = "tensorrt"
)

// Providers are those that graphs run on.
func Providers() []Provider { return []Provider{CPU, CUDA, TensorRT} }

// Device is a provider and, of the two that have several, the number of a card.
// The zero Device is Auto.
type Device struct {
	Provider Provider
	Card     int
}

// Parse reads "auto", "cpu", "cuda:0" or "tensorrt:0"; without a number, it is card 0.
func Parse(text string) (Device, error) {
	name, number, numbered := strings.Cut(text, ":")
	d := Device{Provider: Provider(name)}
	if d.Provider != Auto && !slices.Contains(Providers(), d.Provider) || numbered && !d.onCard() {
		return Device{}, fmt.Errorf("%q: want auto, cpu, cuda:N or tensorrt:N", text)
	}
	if numbered {
		card, err := strconv.ParseUint(number, 10, 8)
		if err != nil {
			return Device{}, fmt.Errorf("%q: want a card's number, from 0", text)
		}
		d.Card = int(card)
	}
	return d, nil
}

func (d Device) onCard() bool { return d.Provider == CUDA || d.Provider == TensorRT }

// String is what Parse reads.
func (d Device) String() string {
	switch {
	case d.Provider == "":
		return string(Auto)
	case d.onCard():
		return fmt.Sprintf("%s:%d", d.Provider, d.Card)
	}
	return string(d.Provider)
}

// Set implements pflag.Value.
func (d *Device) Set(text string) (err error) {
	*d, err = Parse(text)
	return err
}

// Type implements pflag.Value.
func (d *Device) Type() string { return "device" }
