/** ext-image-capture-source and ext-image-copy-capture, staging protocols of wayland-protocols. */
import { defineInterface } from '../interface.ts';

export const OUTPUT_CAPTURE_SOURCE_MANAGER = defineInterface(
  'ext_output_image_capture_source_manager_v1',
  1,
  { create_source: 'no', destroy: '' },
  {},
);

export const CAPTURE_SOURCE = defineInterface(
  'ext_image_capture_source_v1',
  1,
  { destroy: '' },
  {},
);

export const COPY_CAPTURE_MANAGER = defineInterface(
  'ext_image_copy_capture_manager_v1',
  1,
  { create_session: 'nou', create_pointer_cursor_session: 'noo', destroy: '' },
  {},
);

export const COPY_CAPTURE_SESSION = defineInterface(
  'ext_image_copy_capture_session_v1',
  1,
  { create_frame: 'n', destroy: '' },
  {
    buffer_size: 'uu',
    shm_format: 'u',
    dmabuf_device: 'a',
    dmabuf_format: 'ua',
    done: '',
    stopped: '',
  },
);

export const COPY_CAPTURE_FRAME = defineInterface(
  'ext_image_copy_capture_frame_v1',
  1,
  { destroy: '', attach_buffer: 'o', damage_buffer: 'iiii', capture: '' },
  { transform: 'u', damage: 'iiii', presentation_time: 'uuu', ready: '', failed: 'u' },
);
