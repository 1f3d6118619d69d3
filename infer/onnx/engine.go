// Package onnx runs graphs with ONNX Runtime. It alone imports the binding, and
// needs cgo and, at run time, the library itself.
//
// A path to an .onnx file goes in, an infer.Graph comes out.
package onnx

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/winnow-video/winnow/infer"
	"github.com/winnow-video/winnow/infer/device"
)

// LibraryVariable names the environment variable that holds the library's path.
const LibraryVariable = "WINNOW_ORT_LIB"

// Config says where the library is and how graphs run.
type Config struct {
	Library string        // path of libonnxruntime.so; default: $WINNOW_ORT_LIB, else where deploy/setup put it
	Device  device.Device // default auto: CUDA where it can, else the CPU
	Threads int           // inside one graph; default: ONNX Runtime's, the cores
	Spin    bool          // threads wait for each other without sleeping
	Profile string        // folder that ONNX Runtime writes a trace of every graph to, when that is closed; default: none
}

// Validate names the field that cannot be.
func (c Config) Validate() error {
	if c.Threads < 0 {
		return fmt.Errorf("threads %d: want 0, for as many as there are cores, or more", c.Threads)
	}
	if c.Profile == "" {
		return nil
	}
	if info, err := os.Stat(c.Profile); err != nil || !info.IsDir() {
		return fmt.Errorf("profile %s: want a folder that is there", c.Profile)
	}
	return nil
}

// Engine is ONNX Runtime on one device. A process has one.
type Engine struct {
	cfg    Config
	device device.Device
	why    string
}

// Open loads the library. Close ends it, after all graphs.
func Open(cfg Config) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	path, err := library(cfg.Library)
	if err != nil {
		return nil, err
	}
	ort.SetSharedLibraryPath(path)
	if err := ort.InitializeEnvironment(ort.WithLogLevelWarning()); err != nil {
		return nil, fmt.Errorf("ONNX Runtime at %s: %w", path, err)
	}
	e := &Engine{cfg: cfg}
	if e.device, e.why, err = look(path, "/").choose(cfg.Device, open); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// Device is what graphs run on. Where that is the CPU for want of another, why
// says what is wanting.
func (e *Engine) Device() (d device.Device, why string) { return e.device, e.why }

// Close ends the library.
func (e *Engine) Close() error { return ort.DestroyEnvironment() }

// Name is ONNX Runtime's, its version and the provider. Which of several cards
// it was does not matter to what came out.
func (e *Engine) Name() string {
	return fmt.Sprintf("onnxruntime %s %s", ort.GetVersion(), e.device.Provider)
}

// library finds libonnxruntime.so: as given, as the environment says, or in set-up's cache.
func library(given string) (string, error) {
	for _, path := range []string{given, os.Getenv(LibraryVariable)} {
		if path != "" {
			if _, err := os.Stat(path); err != nil {
				return "", fmt.Errorf("ONNX Runtime: %w", err)
			}
			return path, nil
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(cache, "winnow", "onnxruntime-*", "libonnxruntime.so"))
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", errors.New("ONNX Runtime is not installed: run `make setup`, or set " + LibraryVariable + " to libonnxruntime.so")
	}
	return found[len(found)-1], nil // the newest, by name
}

// Load implements infer.Engine.
func (e *Engine) Load(path string) (infer.Graph, error) {
	options, err := e.options(path)
	if err != nil {
		return nil, err
	}
	defer options.Destroy()
	inputs, outputs, err := ort.GetInputOutputInfo(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	g := &graph{path: path, inputs: names(inputs), outputs: names(outputs)}
	g.session, err = ort.NewDynamicAdvancedSession(path, g.inputs, g.outputs, options)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}

// options are those of the graph at path.
func (e *Engine) options(path string) (*ort.SessionOptions, error) {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	spinning := "0" // it would take the cores that decoding needs
	if e.cfg.Spin {
		spinning = "1"
	}
	err = errors.Join(
		options.SetIntraOpNumThreads(e.cfg.Threads), // 0: ONNX Runtime decides
		options.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
		options.AddSessionConfigEntry("session.intra_op.allow_spinning", spinning),
		// A plan for every shape seen is no use where each token makes a new one.
		options.SetMemPattern(false),
		appendProvider(options, deviceOf(path, e.device)),
		e.profile(options, path),
	)
	if err != nil {
		return nil, errors.Join(err, options.Destroy())
	}
	return options, nil
}

// profile has ONNX Runtime trace the graph at path, where that is asked for. It
// adds the time to the file's name.
func (e *Engine) profile(options *ort.SessionOptions, path string) error {
	if e.cfg.Profile == "" {
		return nil
	}
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	return options.EnableProfiling(filepath.Join(e.cfg.Profile, name))
}

func names(infos []ort.InputOutputInfo) []string {
	all := make([]string, len(infos))
	for i, info := range infos {
		all[i] = info.Name
	}
	return all
}
