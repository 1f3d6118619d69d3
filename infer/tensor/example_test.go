package tensor_test

import (
	"fmt"

	"github.com/winnow-video/winnow/infer/tensor"
)

func Example() {
	tokens, err := tensor.From([]float32{1, 0, 0, 1, -1, 0.5}, 3, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	kept, err := tensor.Gather(tokens, []int{0, 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	half := tensor.New[tensor.Float16](kept.Shape...)
	tensor.Narrow(half.Data, kept.Data)

	f := &tensor.File{Metadata: map[string]string{"method": "rediprune"}}
	tensor.Put(f, "tokens", half)
	bytes, err := tensor.Encode(f)
	if err != nil {
		fmt.Println(err)
		return
	}

	back, err := tensor.Decode(bytes)
	if err != nil {
		fmt.Println(err)
		return
	}
	single, err := tensor.Floats(back, "tokens")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(back.Metadata["method"], back.Tensors["tokens"].DType, single.Shape, single.Data)
	// Output: rediprune F16 [2 2] [1 0 -1 0.5]
}
