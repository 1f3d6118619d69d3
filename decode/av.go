package decode

/*
#cgo pkg-config: libavcodec libavutil libswscale
#include <libavcodec/avcodec.h>
#include <libavutil/display.h>
#include <libavutil/frame.h>
#include <libavutil/macros.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

static int64_t winnow_pts(const AVFrame *f) { return f->best_effort_timestamp; }

static int winnow_damaged(const AVFrame *f) {
	return f->decode_error_flags != 0 || (f->flags & AV_FRAME_FLAG_CORRUPT) != 0;
}

static const int32_t *winnow_matrix(const AVFrame *f) {
	AVFrameSideData *d = av_frame_get_side_data(f, AV_FRAME_DATA_DISPLAYMATRIX);
	return d && d->size >= 9 * sizeof(int32_t) ? (const int32_t *)d->data : NULL;
}

static void winnow_bound(AVCodecContext *c, int64_t pixels) { if (pixels > 0) c->max_pixels = pixels; }

static void winnow_skip(AVCodecContext *c, int skip) { c->skip_frame = skip ? AVDISCARD_NONREF : AVDISCARD_DEFAULT; }

static int winnow_progressive(const AVCodecContext *c) { return c->field_order == AV_FIELD_PROGRESSIVE; }

static int winnow_full_range(const AVFrame *f) {
	const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);
	return f->color_range == AVCOL_RANGE_JPEG || (d && (d->flags & AV_PIX_FMT_FLAG_RGB)) ||
		(d && d->name[0] == 'y' && d->name[1] == 'u' && d->name[2] == 'v' && d->name[3] == 'j');
}

// winnow_luma shrinks f's luma to width x height at dst, averaging areas.
static int winnow_luma(struct SwsContext **sws, const AVFrame *f, uint8_t *dst, int width, int height) {
	uint8_t *planes[4] = {dst};
	int strides[4] = {width};
	*sws = sws_getCachedContext(*sws, f->width, f->height, f->format, width, height, AV_PIX_FMT_GRAY8,
		SWS_AREA | SWS_ACCURATE_RND | SWS_BITEXACT, NULL, NULL, NULL);
	if (!*sws) return AVERROR(EINVAL);
	return sws_scale(*sws, (const uint8_t *const *)f->data, f->linesize, 0, f->height, planes, strides);
}

// winnow_by_planes says whether swscale converts f to planes of red, green and
// blue as it does to packed RGB. It has vector code for the planes alone. Grey
// and palettes take a way of their own, and what is RGB is best left as it is.
static int winnow_by_planes(const AVFrame *f) {
	const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);
	return d && d->nb_components >= 3 && !(d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL));
}

// winnow_columns widens left..left+width-1 to columns of f that can be converted by
// themselves and come out as they do with the others: the chroma filter reaches no
// further than margin, and where it begins must not differ.
static int winnow_columns(const AVFrame *f, int *left, int *width) {
	const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);
	const int margin = 16, align = 64;
	if (!(d->flags & AV_PIX_FMT_FLAG_PLANAR) || f->width % (1 << d->log2_chroma_w)) return 0;
	int right = FFMIN(f->width, FFALIGN(*left + *width + margin, align));
	*left = FFMAX(0, *left - margin) / align * align;
	*width = right - *left;
	return 1;
}

// winnow_from is where plane's column left begins in f.
static const uint8_t *winnow_from(const AVFrame *f, int plane, int left) {
	const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);
	for (int i = 0; i < d->nb_components; i++) {
		int shift = i == 1 || i == 2 ? d->log2_chroma_w : 0;
		if (d->comp[i].plane == plane) return f->data[plane] + (left >> shift) * d->comp[i].step;
	}
	return f->data[plane];
}

// winnow_pack packs planes, stride bytes a row, to RGB.
static void winnow_pack(uint8_t *const planes[4], int stride, int width, int height, uint8_t *dst) {
	for (int y = 0; y < height; y++) {
		const uint8_t *g = planes[0] + (long)y * stride, *b = planes[1] + (long)y * stride, *r = planes[2] + (long)y * stride;
		for (int x = 0; x < width; x++, dst += 3) {
			dst[0] = r[x];
			dst[1] = g[x];
			dst[2] = b[x];
		}
	}
}

// winnow_room is how many bytes winnow_rgb needs for planes of width x height.
static long winnow_room(int width, int height) { return 3L * FFALIGN(width, 64) * height + 128; }

// winnow_rgb converts columns left..left+width-1 of f to packed RGB at dst, by
// planes in room where that is not NULL. sws holds the converter between calls.
static int winnow_rgb(struct SwsContext **sws, const AVFrame *f, int left, int width, uint8_t *dst, uint8_t *room, int as_pyav) {
	const int flags = as_pyav ? SWS_BILINEAR :
		SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT;
	*sws = sws_getCachedContext(*sws, width, f->height, f->format, width, f->height,
		room ? AV_PIX_FMT_GBRP : AV_PIX_FMT_RGB24, flags, NULL, NULL, NULL);
	if (!*sws) return AVERROR(EINVAL);
	if (!as_pyav) {
		const int *coefficients = sws_getCoefficients(f->colorspace);
		sws_setColorspaceDetails(*sws, coefficients, winnow_full_range(f), coefficients, 1, 0, 1 << 16, 1 << 16);
	}
	const uint8_t *from[4];
	for (int i = 0; i < 4; i++) from[i] = left ? winnow_from(f, i, left) : f->data[i];
	const int stride = FFALIGN(width, 64);
	room = (uint8_t *)FFALIGN((uintptr_t)room, 64);
	uint8_t *into[4] = {room ? room : dst, room + (long)stride * f->height, room + 2L * stride * f->height};
	int strides[4] = {room ? stride : 3 * width, stride, stride};
	int ret = sws_scale(*sws, from, f->linesize, 0, f->height, into, strides);
	if (ret >= 0 && room) winnow_pack(into, stride, width, f->height, dst);
	return ret;
}
*/
import "C"

import (
	"unsafe"

	"github.com/asticode/go-astiav"

	"github.com/winnow-video/winnow/decode/resize"
	"github.com/winnow-video/winnow/workflows/job"
)

// What go-astiav lacks. Its pointers are those of the C structs.

func cFrame(f *astiav.Frame) *C.AVFrame { return (*C.AVFrame)(f.UnsafePointer()) }

// timestamp is the frame's time as FFmpeg best knows it, in the stream's time base.
func timestamp(f *astiav.Frame) int64 { return int64(C.winnow_pts(cFrame(f))) }

// damaged says that the decoder had to invent part of the frame.
func damaged(f *astiav.Frame) bool { return C.winnow_damaged(cFrame(f)) != 0 }

// frameMatrix is the display matrix that the frame itself carries, as EXIF of a picture does.
func frameMatrix(f *astiav.Frame) (matrix, bool) {
	p := C.winnow_matrix(cFrame(f))
	if p == nil {
		return matrix{}, false
	}
	return matrix(*(*[9]int32)(unsafe.Pointer(p))), true
}

// boundPixels has the decoder refuse pictures of more pixels; zero is no bound.
func boundPixels(c *astiav.CodecContext, pixels int64) {
	C.winnow_bound((*C.AVCodecContext)(c.UnsafePointer()), C.int64_t(pixels))
}

// skipUnreferenced has the decoder skip, or not, the frames that no other needs.
func skipUnreferenced(c *astiav.CodecContext, skip bool) {
	C.winnow_skip((*C.AVCodecContext)(c.UnsafePointer()), cBool(skip))
}

func cBool(yes bool) C.int {
	if yes {
		return 1
	}
	return 0
}

// isProgressive says that the stream is known to hold whole frames, not fields.
func isProgressive(c *astiav.CodecContext) bool {
	return C.winnow_progressive((*C.AVCodecContext)(c.UnsafePointer())) != 0
}

// flush has the decoder forget what it was sent: the next packet is from elsewhere.
func flush(c *astiav.CodecContext) {
	C.avcodec_flush_buffers((*C.AVCodecContext)(c.UnsafePointer()))
}

// converter turns frames into RGB as job.Color says. It keeps its buffers.
type converter struct {
	color     job.Color
	sws       *C.struct_SwsContext
	pix, room []byte // of the latest image, and of its planes
}

// slack is what swscale's vector code may write past the last pixel.
const slack = 64

// rgb converts columns from..to-1 of f, or more: the image begins at column left
// of f. It is valid until the next call.
func (c *converter) rgb(f *astiav.Frame, from, to int) (image resize.Image, left int, err error) {
	asPyAV, byPlanes := c.color == job.ColorPyAV, false
	cLeft, cWidth := C.int(0), C.int(f.Width())
	var room *C.uint8_t
	if byPlanes = !asPyAV && C.winnow_by_planes(cFrame(f)) != 0; byPlanes {
		part, width := C.int(from), C.int(to-from)
		if C.winnow_columns(cFrame(f), &part, &width) != 0 {
			cLeft, cWidth = part, width
		}
		c.room = sized(c.room, int(C.winnow_room(cWidth, C.int(f.Height()))))
		room = cBytes(c.room)
	}
	image = resize.Image{W: int(cWidth), H: f.Height()}
	c.pix = sized(c.pix, 3*image.W*image.H+slack)
	image.Pix = c.pix[:3*image.W*image.H]
	if ret := C.winnow_rgb(&c.sws, cFrame(f), cLeft, cWidth, cBytes(c.pix), room, cBool(asPyAV)); ret < 0 {
		return image, 0, astiav.Error(ret)
	}
	return image, int(cLeft), nil
}

// sized is n bytes, those of b if it has as many.
func sized(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

func cBytes(b []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b))) }

func (c *converter) free() {
	C.sws_freeContext(c.sws)
	c.sws = nil
}

// thumbnailer shrinks frames to their luma, thumbW × thumbH.
type thumbnailer struct{ sws *C.struct_SwsContext }

func (t *thumbnailer) luma(f *astiav.Frame, dst []byte) error {
	if ret := C.winnow_luma(&t.sws, cFrame(f), cBytes(dst), thumbW, thumbH); ret < 0 {
		return astiav.Error(ret)
	}
	return nil
}

func (t *thumbnailer) free() { C.sws_freeContext(t.sws) }

// Build names what the pixels of a clip depend on: this package's own version, FFmpeg's and dav1d's.
func Build() string {
	return version + "+ffmpeg-" + C.GoString(C.av_version_info())
}

// version counts changes of what a clip holds for the same request.
const version = "1"
