/* Prints pods made by libspa's own builder, one `name hex` line each: the oracle for our encoder. */
#include <stdio.h>
#include <spa/buffer/buffer.h>
#include <spa/buffer/meta.h>
#include <spa/param/audio/format-utils.h>
#include <spa/param/buffers.h>
#include <spa/param/video/format-utils.h>
#include <spa/pod/builder.h>

static void print_pod(const char *name, const struct spa_pod *pod) {
  const unsigned char *bytes = (const unsigned char *)pod;
  size_t size = (SPA_POD_SIZE(pod) + 7) & ~(size_t)7;
  printf("%s ", name);
  for (size_t i = 0; i < size; i++) printf("%02x", bytes[i]);
  printf("\n");
}

static struct spa_pod *video_offer(struct spa_pod_builder *b, int fixed) {
  struct spa_pod_frame f;
  struct spa_rectangle size = SPA_RECTANGLE(1922, 1082);
  struct spa_rectangle smallest = SPA_RECTANGLE(1, 1), largest = SPA_RECTANGLE(16384, 16384);
  struct spa_fraction rate = SPA_FRACTION(120, 1), none = SPA_FRACTION(0, 1);
  struct spa_fraction fastest = SPA_FRACTION(1000, 1);
  spa_pod_builder_push_object(b, &f, SPA_TYPE_OBJECT_Format, SPA_PARAM_EnumFormat);
  spa_pod_builder_add(b, SPA_FORMAT_mediaType, SPA_POD_Id(SPA_MEDIA_TYPE_video),
                      SPA_FORMAT_mediaSubtype, SPA_POD_Id(SPA_MEDIA_SUBTYPE_raw),
                      SPA_FORMAT_VIDEO_format,
                      SPA_POD_CHOICE_ENUM_Id(5, SPA_VIDEO_FORMAT_BGRx, SPA_VIDEO_FORMAT_BGRx,
                                             SPA_VIDEO_FORMAT_BGRA, SPA_VIDEO_FORMAT_RGBx,
                                             SPA_VIDEO_FORMAT_RGBA),
                      0);
  if (fixed)
    spa_pod_builder_add(b, SPA_FORMAT_VIDEO_size, SPA_POD_Rectangle(&size), 0);
  else
    spa_pod_builder_add(b, SPA_FORMAT_VIDEO_size,
                        SPA_POD_CHOICE_RANGE_Rectangle(&size, &smallest, &largest), 0);
  spa_pod_builder_add(b, SPA_FORMAT_VIDEO_framerate,
                      SPA_POD_CHOICE_RANGE_Fraction(&none, &none, &fastest), 0);
  if (fixed)
    spa_pod_builder_add(b, SPA_FORMAT_VIDEO_maxFramerate, SPA_POD_Fraction(&rate), 0);
  else
    spa_pod_builder_add(b, SPA_FORMAT_VIDEO_maxFramerate,
                        SPA_POD_CHOICE_RANGE_Fraction(&rate, &none, &fastest), 0);
  spa_pod_builder_add(b, SPA_FORMAT_VIDEO_views,
                      SPA_POD_CHOICE_RANGE_Int(77, 0, 0x7fffffff), 0);
  return spa_pod_builder_pop(b, &f);
}

int main(void) {
  unsigned char memory[4096];
  struct spa_pod_builder b;

  b = SPA_POD_BUILDER_INIT(memory, sizeof memory);
  print_pod("video-fixed", video_offer(&b, 1));
  b = SPA_POD_BUILDER_INIT(memory, sizeof memory);
  print_pod("video-range", video_offer(&b, 0));

  b = SPA_POD_BUILDER_INIT(memory, sizeof memory);
  print_pod("buffers", spa_pod_builder_add_object(
      &b, SPA_TYPE_OBJECT_ParamBuffers, SPA_PARAM_Buffers,
      SPA_PARAM_BUFFERS_buffers, SPA_POD_CHOICE_RANGE_Int(12, 2, 16),
      SPA_PARAM_BUFFERS_blocks, SPA_POD_Int(1),
      SPA_PARAM_BUFFERS_dataType,
      SPA_POD_CHOICE_FLAGS_Int((1 << SPA_DATA_MemFd) | (1 << SPA_DATA_MemPtr))));

  b = SPA_POD_BUILDER_INIT(memory, sizeof memory);
  print_pod("meta-header", spa_pod_builder_add_object(
      &b, SPA_TYPE_OBJECT_ParamMeta, SPA_PARAM_Meta,
      SPA_PARAM_META_type, SPA_POD_Id(SPA_META_Header),
      SPA_PARAM_META_size, SPA_POD_Int(sizeof(struct spa_meta_header))));

#define CURSOR_SIZE(side) \
  ((int)(sizeof(struct spa_meta_cursor) + sizeof(struct spa_meta_bitmap)) + (side) * (side) * 4)
  b = SPA_POD_BUILDER_INIT(memory, sizeof memory);
  print_pod("meta-cursor", spa_pod_builder_add_object(
      &b, SPA_TYPE_OBJECT_ParamMeta, SPA_PARAM_Meta,
      SPA_PARAM_META_type, SPA_POD_Id(SPA_META_Cursor),
      SPA_PARAM_META_size,
      SPA_POD_CHOICE_RANGE_Int(CURSOR_SIZE(64), CURSOR_SIZE(1), CURSOR_SIZE(384))));

  b = SPA_POD_BUILDER_INIT(memory, sizeof memory);
  print_pod("meta-damage", spa_pod_builder_add_object(
      &b, SPA_TYPE_OBJECT_ParamMeta, SPA_PARAM_Meta,
      SPA_PARAM_META_type, SPA_POD_Id(SPA_META_VideoDamage),
      SPA_PARAM_META_size,
      SPA_POD_CHOICE_RANGE_Int((int)sizeof(struct spa_meta_region) * 16,
                               (int)sizeof(struct spa_meta_region),
                               (int)sizeof(struct spa_meta_region) * 16)));

  b = SPA_POD_BUILDER_INIT(memory, sizeof memory);
  struct spa_audio_info_raw audio = {
      .format = SPA_AUDIO_FORMAT_F32_LE, .rate = 48000, .channels = 6,
      .position = {SPA_AUDIO_CHANNEL_FL, SPA_AUDIO_CHANNEL_FR, SPA_AUDIO_CHANNEL_FC,
                   SPA_AUDIO_CHANNEL_LFE, SPA_AUDIO_CHANNEL_RL, SPA_AUDIO_CHANNEL_RR}};
  print_pod("audio-5.1", spa_format_audio_raw_build(&b, SPA_PARAM_EnumFormat, &audio));

  b = SPA_POD_BUILDER_INIT(memory, sizeof memory);
  struct spa_rectangle agreed_size = SPA_RECTANGLE(1281, 721);
  struct spa_fraction variable = SPA_FRACTION(0, 1), highest = SPA_FRACTION(60, 1);
  print_pod("video-agreed", spa_pod_builder_add_object(
      &b, SPA_TYPE_OBJECT_Format, SPA_PARAM_Format,
      SPA_FORMAT_mediaType, SPA_POD_Id(SPA_MEDIA_TYPE_video),
      SPA_FORMAT_mediaSubtype, SPA_POD_Id(SPA_MEDIA_SUBTYPE_raw),
      SPA_FORMAT_VIDEO_format, SPA_POD_Id(SPA_VIDEO_FORMAT_BGRx),
      SPA_FORMAT_VIDEO_size, SPA_POD_Rectangle(&agreed_size),
      SPA_FORMAT_VIDEO_framerate, SPA_POD_Fraction(&variable),
      SPA_FORMAT_VIDEO_maxFramerate, SPA_POD_Fraction(&highest)));
  return 0;
}
