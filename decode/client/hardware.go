package client

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/workflows/job"
)

// driverEnv is what of our environment tells a driver which device to use and where its libraries are.
func driverEnv(req wire.Request) (env []string) {
	if len(req.Hwaccel.Devices()) == 0 {
		return nil
	}
	for _, name := range []string{
		"CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "LD_LIBRARY_PATH", "LIBVA_DRIVER_NAME", "LIBVA_DRIVERS_PATH",
	} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// diedOnDevice says that err may be a driver's doing: winnow-decode falls back by itself from what it survives.
func diedOnDevice(req wire.Request, err error) bool {
	var failure *job.Failure
	if len(req.Hwaccel.Devices()) == 0 || !errors.As(err, &failure) {
		return false
	}
	switch failure.Code {
	case job.InputCrash, job.InputMemory, job.InputTimeout:
		return true
	}
	return false
}

// withoutDevice decodes in software what a device could not, for the reason given.
func (d Decoder) withoutDevice(ctx context.Context, req wire.Request, src Source, why error) (*Clip, error) {
	asked := req.Hwaccel
	req.Hwaccel = wire.HwaccelNone
	clip, err := d.run(ctx, req, src)
	if err != nil {
		return nil, err
	}
	clip.Info.HwaccelFallback = fmt.Sprintf("%s: %v", asked, why) // the child that made the clip did not know
	return clip, nil
}
