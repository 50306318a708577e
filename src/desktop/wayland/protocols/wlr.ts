/** wlroots protocols: screen copy, output management, virtual pointer; and the virtual keyboard. */
import { defineInterface } from '../interface.ts';

export const SCREENCOPY_MANAGER = defineInterface(
  'zwlr_screencopy_manager_v1',
  3,
  { capture_output: 'nio', capture_output_region: 'nioiiii', destroy: '' },
  {},
);

export const SCREENCOPY_FRAME = defineInterface(
  'zwlr_screencopy_frame_v1',
  3,
  { copy: 'o', destroy: '', copy_with_damage: '2o' },
  {
    buffer: 'uuuu',
    flags: 'u',
    ready: 'uuu',
    failed: '',
    damage: 'uuuu',
    linux_dmabuf: 'uuu',
    buffer_done: '',
  },
);

export const VIRTUAL_POINTER_MANAGER = defineInterface(
  'zwlr_virtual_pointer_manager_v1',
  2,
  { create_virtual_pointer: '?on', destroy: '', create_virtual_pointer_with_output: '2?o?on' },
  {},
);

export const VIRTUAL_POINTER = defineInterface(
  'zwlr_virtual_pointer_v1',
  2,
  {
    motion: 'uff',
    motion_absolute: 'uuuuu',
    button: 'uuu',
    axis: 'uuf',
    frame: '',
    axis_source: 'u',
    axis_stop: 'uu',
    axis_discrete: 'uufi',
    destroy: '',
  },
  {},
);

export const VIRTUAL_KEYBOARD_MANAGER = defineInterface(
  'zwp_virtual_keyboard_manager_v1',
  1,
  { create_virtual_keyboard: 'on' },
  {},
);

export const VIRTUAL_KEYBOARD = defineInterface(
  'zwp_virtual_keyboard_v1',
  1,
  { keymap: 'uhu', key: 'uuu', modifiers: 'uuuu', destroy: '' },
  {},
);

export const OUTPUT_MANAGER = defineInterface(
  'zwlr_output_manager_v1',
  4,
  { create_configuration: 'nu', stop: '' },
  { head: 'n', done: 'u', finished: '' },
);

export const OUTPUT_HEAD = defineInterface(
  'zwlr_output_head_v1',
  4,
  { release: '3' },
  {
    name: 's',
    description: 's',
    physical_size: 'ii',
    mode: 'n',
    enabled: 'i',
    current_mode: 'o',
    position: 'ii',
    transform: 'i',
    scale: 'f',
    finished: '',
    make: 's',
    model: 's',
    serial_number: 's',
    adaptive_sync: 'u',
  },
);

export const OUTPUT_MODE = defineInterface(
  'zwlr_output_mode_v1',
  3,
  { release: '3' },
  { size: 'ii', refresh: 'i', preferred: '', finished: '' },
);

export const OUTPUT_CONFIGURATION = defineInterface(
  'zwlr_output_configuration_v1',
  4,
  { enable_head: 'no', disable_head: 'o', apply: '', test: '', destroy: '' },
  { succeeded: '', failed: '', cancelled: '' },
);

export const OUTPUT_CONFIGURATION_HEAD = defineInterface(
  'zwlr_output_configuration_head_v1',
  4,
  {
    set_mode: 'o',
    set_custom_mode: 'iii',
    set_position: 'ii',
    set_transform: 'i',
    set_scale: 'f',
    set_adaptive_sync: '4u',
  },
  {},
);
