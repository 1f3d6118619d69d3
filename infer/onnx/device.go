package onnx

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/device"
)

// surroundings is what decides which devices can run graphs.
type surroundings struct {
	library   string                   // path of libonnxruntime.so
	providers map[device.Provider]bool // whose own library lies beside it
	cards     int                      // NVIDIA's, as the kernel shows them
}

// look looks for provider libraries beside the library, and for cards below
// root, which is / outside of tests.
func look(library, root string) surroundings {
	s := surroundings{library: library, providers: map[device.Provider]bool{}}
	folder := filepath.Dir(library)
	if real, err := filepath.EvalSymlinks(library); err == nil {
		folder = filepath.Dir(real)
	}
	for _, p := range []device.Provider{device.CUDA, device.TensorRT} {
		_, err := os.Stat(filepath.Join(folder, providerFile(p)))
		s.providers[p] = err == nil
	}
	nodes, _ := filepath.Glob(filepath.Join(root, "dev", "nvidia[0-9]*")) // the pattern is good
	s.cards = len(nodes)
	return s
}

func providerFile(p device.Provider) string {
	return fmt.Sprintf("libonnxruntime_providers_%s.so", p)
}

// can says why graphs cannot run on d, and what to do about it.
func (s surroundings) can(d device.Device) error {
	switch {
	case d.Provider == device.CPU:
		return nil
	case !s.providers[d.Provider]:
		return fmt.Errorf("device %s: %s does not lie beside %s: install ONNX Runtime's GPU build (onnxruntime-gpu), and name its libonnxruntime.so by --onnxruntime or $%s",
			d, providerFile(d.Provider), s.library, LibraryVariable)
	case s.cards == 0:
		return fmt.Errorf("device %s: this machine shows no NVIDIA card: install the driver, or in a container pass the cards in", d)
	case d.Card >= s.cards:
		return fmt.Errorf("device %s: this machine has %d cards, numbered from 0", d, s.cards)
	}
	return nil
}

// choose is the device that graphs run on. try opens one that should do: what a
// provider needs of its own (CUDA, cuDNN, TensorRT) only opening it tells. Where
// auto ends on the CPU, why says the reason; a device that was named runs or is an error.
func (s surroundings) choose(asked device.Device, try func(device.Device) error) (chosen device.Device, why string, err error) {
	auto := asked.Provider == "" || asked.Provider == device.Auto
	if auto {
		asked = device.Device{Provider: device.CUDA}
	}
	if err = s.can(asked); err == nil {
		if err = try(asked); err != nil {
			err = fmt.Errorf("device %s: %w: install the CUDA and cuDNN (and for tensorrt TensorRT) that this ONNX Runtime was built with", asked, err)
		}
	}
	if err != nil && auto {
		return device.Device{Provider: device.CPU}, err.Error(), nil
	}
	return asked, "", err
}

// open tries a device, and closes it again.
func open(d device.Device) error {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return err
	}
	return errors.Join(appendProvider(options, d), options.Destroy())
}

// appendProvider has sessions run on d. What TensorRT cannot, CUDA does; what
// that cannot, the CPU.
func appendProvider(options *ort.SessionOptions, d device.Device) error {
	switch d.Provider {
	case device.TensorRT:
		return errors.Join(appendTensorRT(options, d.Card), appendCUDA(options, d.Card))
	case device.CUDA:
		return appendCUDA(options, d.Card)
	}
	return nil
}

func appendCUDA(options *ort.SessionOptions, card int) error {
	o, err := ort.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	err = o.Update(map[string]string{
		"device_id": strconv.Itoa(card),
		"use_tf32":  "0", // tokens are kept as f32's: TensorFloat-32 has ten bits of fraction
		// Else each process times several ways to fold patches, and takes another one: other tokens under the same key.
		"cudnn_conv_algo_search": "DEFAULT",
	})
	if err == nil {
		err = options.AppendExecutionProviderCUDA(o)
	}
	return errors.Join(err, o.Destroy())
}

// deviceOf is what the graph at path runs on. TensorRT compiles one for the shapes
// that it sees, which takes minutes: the tower has few. Of the others, prompts and
// answers make new ones all the time, and so they run on CUDA.
func deviceOf(path string, d device.Device) device.Device {
	if d.Provider == device.TensorRT && filepath.Base(path) != bundle.VisionFile {
		d.Provider = device.CUDA
	}
	return d
}

func appendTensorRT(options *ort.SessionOptions, card int) error {
	o, err := ort.NewTensorRTProviderOptions()
	if err != nil {
		return err
	}
	err = o.Update(map[string]string{"device_id": strconv.Itoa(card), "trt_fp16_enable": "0"})
	if err == nil {
		err = options.AppendExecutionProviderTensorRT(o)
	}
	return errors.Join(err, o.Destroy())
}
