/** Core Wayland, xdg-shell and xdg-output: the interfaces the host and its test programs use. */
import { defineInterface } from '../interface.ts';

export const WL_DISPLAY = defineInterface(
  'wl_display',
  1,
  { sync: 'n', get_registry: 'n' },
  { error: 'ous', delete_id: 'u' },
);

export const WL_REGISTRY = defineInterface(
  'wl_registry',
  1,
  { bind: 'usun' },
  { global: 'usu', global_remove: 'u' },
);

export const WL_CALLBACK = defineInterface('wl_callback', 1, {}, { done: 'u' });

export const WL_COMPOSITOR = defineInterface(
  'wl_compositor',
  4,
  { create_surface: 'n', create_region: 'n' },
  {},
);

export const WL_SURFACE = defineInterface(
  'wl_surface',
  4,
  {
    destroy: '',
    attach: '?oii',
    damage: 'iiii',
    frame: 'n',
    set_opaque_region: '?o',
    set_input_region: '?o',
    commit: '',
    set_buffer_transform: '2i',
    set_buffer_scale: '3i',
    damage_buffer: '4iiii',
  },
  { enter: 'o', leave: 'o' },
);

export const WL_SHM = defineInterface('wl_shm', 1, { create_pool: 'nhi' }, { format: 'u' });

export const WL_SHM_POOL = defineInterface(
  'wl_shm_pool',
  1,
  { create_buffer: 'niiiiu', destroy: '', resize: 'i' },
  {},
);

export const WL_BUFFER = defineInterface('wl_buffer', 1, { destroy: '' }, { release: '' });

export const WL_SEAT = defineInterface(
  'wl_seat',
  5,
  { get_pointer: 'n', get_keyboard: 'n', get_touch: 'n', release: '5' },
  { capabilities: 'u', name: 's' },
);

export const WL_KEYBOARD = defineInterface(
  'wl_keyboard',
  4,
  { release: '3' },
  {
    keymap: 'uhu',
    enter: 'uoa',
    leave: 'uo',
    key: 'uuuu',
    modifiers: 'uuuuu',
    repeat_info: 'ii',
  },
);

export const WL_OUTPUT = defineInterface(
  'wl_output',
  4,
  { release: '3' },
  { geometry: 'iiiiissi', mode: 'uiii', done: '', scale: 'i', name: 's', description: 's' },
);

export const XDG_OUTPUT_MANAGER = defineInterface(
  'zxdg_output_manager_v1',
  3,
  { destroy: '', get_xdg_output: 'no' },
  {},
);

export const XDG_OUTPUT = defineInterface(
  'zxdg_output_v1',
  3,
  { destroy: '' },
  { logical_position: 'ii', logical_size: 'ii', done: '', name: 's', description: 's' },
);

export const XDG_WM_BASE = defineInterface(
  'xdg_wm_base',
  1,
  { destroy: '', create_positioner: 'n', get_xdg_surface: 'no', pong: 'u' },
  { ping: 'u' },
);

export const XDG_SURFACE = defineInterface(
  'xdg_surface',
  1,
  {
    destroy: '',
    get_toplevel: 'n',
    get_popup: 'n?oo',
    set_window_geometry: 'iiii',
    ack_configure: 'u',
  },
  { configure: 'u' },
);

export const XDG_TOPLEVEL = defineInterface(
  'xdg_toplevel',
  1,
  {
    destroy: '',
    set_parent: '?o',
    set_title: 's',
    set_app_id: 's',
    show_window_menu: 'ouii',
    move: 'ou',
    resize: 'ouu',
    set_max_size: 'ii',
    set_min_size: 'ii',
    set_maximized: '',
    unset_maximized: '',
    set_fullscreen: '?o',
    unset_fullscreen: '',
    set_minimized: '',
  },
  { configure: 'iia', close: '' },
);
