/*
 * Preload for xdg-desktop-portal-wlr 0.7 on a compositor without a GPU. The portal wants every
 * screencopy frame announced as a DMA-BUF format besides shm; a software renderer announces shm
 * only. The listener of zwlr_screencopy_frame_v1 is replaced by a copy whose `buffer` slot also
 * calls the `linux_dmabuf` slot with the same size. Everything else stays real.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

struct wl_proxy;
enum { SLOT_BUFFER = 0, SLOT_DMABUF = 5, SLOTS = 7 };
#define DRM_FORMAT_XRGB8888 0x34325258u
#define DRM_FORMAT_ARGB8888 0x34325241u

typedef void (*slot)(void);
typedef int (*add_listener)(struct wl_proxy *, slot *, void *);
typedef void (*on_buffer)(void *, void *, uint32_t, uint32_t, uint32_t, uint32_t);
typedef void (*on_dmabuf)(void *, void *, uint32_t, uint32_t, uint32_t);

static slot *originals;
static slot replaced[SLOTS];

static void buffer(void *data, void *frame, uint32_t format, uint32_t width, uint32_t height,
                   uint32_t stride) {
  ((on_buffer)originals[SLOT_BUFFER])(data, frame, format, width, height, stride);
  uint32_t fourcc = format == 1 ? DRM_FORMAT_XRGB8888 : format == 0 ? DRM_FORMAT_ARGB8888 : format;
  ((on_dmabuf)originals[SLOT_DMABUF])(data, frame, fourcc, width, height);
}

int wl_proxy_add_listener(struct wl_proxy *proxy, slot *listener, void *data) {
  add_listener real = (add_listener)dlsym(RTLD_NEXT, "wl_proxy_add_listener");
  const char *(*class_of)(struct wl_proxy *) =
      (const char *(*)(struct wl_proxy *))dlsym(RTLD_NEXT, "wl_proxy_get_class");
  if (strcmp(class_of(proxy), "zwlr_screencopy_frame_v1") != 0) return real(proxy, listener, data);
  originals = listener;
  memcpy(replaced, listener, sizeof replaced);
  replaced[SLOT_BUFFER] = (slot)buffer;
  return real(proxy, replaced, data);
}
