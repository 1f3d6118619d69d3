package decode

/*
#include <libavutil/log.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

// FFmpeg tells of some damage in its log alone, and the log is the process's:
// so is what is kept of it here. Of threads that decode at once, any may take what
// another's frame was complained of: for all of them it ends the attempt.
static pthread_mutex_t winnow_lock = PTHREAD_MUTEX_INITIALIZER;
static int winnow_complaints;
static char winnow_complaint[160];
static char winnow_error[160];

// Only lines that always mean lost data: Matroska skips to the next cluster it
// can read, JPEG pads the rest of a scan, and any demuxer may find a packet
// corrupt whose flag the parser after it then drops.
static int winnow_means_loss(void *about, int level, const char *format) {
	const AVClass *class = about ? *(const AVClass **)about : NULL;
	if (!class || !class->item_name) return 0;
	if (level <= AV_LOG_WARNING && !strncmp(format, "Packet corrupt", 14)) return 1;
	const char *name = class->item_name(about);
	return level <= AV_LOG_ERROR && (!strcmp(name, "matroska,webm") || !strcmp(name, "mjpeg"));
}

static void winnow_log(void *about, int level, const char *format, va_list args) {
	if (level > AV_LOG_WARNING) return;
	pthread_mutex_lock(&winnow_lock);
	if (level <= AV_LOG_ERROR && !winnow_error[0]) {
		va_list again;
		va_copy(again, args);
		vsnprintf(winnow_error, sizeof winnow_error, format, again);
		va_end(again);
	}
	if (winnow_means_loss(about, level, format) && !winnow_complaints++) vsnprintf(winnow_complaint, sizeof winnow_complaint, format, args);
	pthread_mutex_unlock(&winnow_lock);
}

static void winnow_listen(void) { av_log_set_callback(winnow_log); }

// winnow_take_complaint copies the first complaint to text, and returns how many there were.
static int winnow_take_complaint(char text[160]) {
	pthread_mutex_lock(&winnow_lock);
	int n = winnow_complaints;
	winnow_complaints = 0;
	memcpy(text, winnow_complaint, sizeof winnow_complaint);
	pthread_mutex_unlock(&winnow_lock);
	return n;
}

static const char *winnow_first_error(void) { return winnow_error; }

static void winnow_forget_error(void) { winnow_error[0] = 0; }
*/
import "C"

import "strings"

// listen has FFmpeg's log counted instead of written to stderr.
func listen() { C.winnow_listen() }

// complaint is the first line of damage logged since the last call; "" where there is none.
func complaint() string {
	var text [160]C.char
	if C.winnow_take_complaint(&text[0]) == 0 {
		return ""
	}
	return strings.TrimSpace(C.GoString(&text[0]))
}

// firstError is the first error of any kind logged since the last call; "" where there is none.
func firstError() string {
	defer C.winnow_forget_error()
	return strings.TrimSpace(C.GoString(C.winnow_first_error()))
}
