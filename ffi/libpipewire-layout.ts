/**
 * Struct layouts and constants of libpipewire-0.3 and SPA on x86-64, as data.
 *
 * Offsets are the same in 0.3.65, 1.4 and 1.6; sizes that differ carry the smallest one, which is
 * the only part this binding touches. tests/desktop/pipewire-layout.test.ts compares the table with
 * the installed headers.
 */

export interface StructLayout {
  /** C name, e.g. `struct spa_buffer`. */
  readonly name: string;
  /** Bytes; the smallest of the supported versions. */
  readonly sizeBytes: number;
  /** True where newer versions append fields. */
  readonly mayGrow: boolean;
  /** C field name → offset in bytes. */
  readonly fields: Readonly<Record<string, number>>;
}

export const SPA_BUFFER = {
  name: 'struct spa_buffer',
  sizeBytes: 24,
  mayGrow: false,
  fields: { n_metas: 0, n_datas: 4, metas: 8, datas: 16 },
} as const satisfies StructLayout;

export const SPA_META = {
  name: 'struct spa_meta',
  sizeBytes: 16,
  mayGrow: false,
  fields: { type: 0, size: 4, data: 8 },
} as const satisfies StructLayout;

export const SPA_DATA = {
  name: 'struct spa_data',
  sizeBytes: 40,
  mayGrow: false,
  fields: { type: 0, flags: 4, fd: 8, mapoffset: 16, maxsize: 20, data: 24, chunk: 32 },
} as const satisfies StructLayout;

export const SPA_CHUNK = {
  name: 'struct spa_chunk',
  sizeBytes: 16,
  mayGrow: false,
  fields: { offset: 0, size: 4, stride: 8, flags: 12 },
} as const satisfies StructLayout;

export const SPA_META_HEADER = {
  name: 'struct spa_meta_header',
  sizeBytes: 32,
  mayGrow: false,
  fields: { flags: 0, offset: 4, pts: 8, dts_offset: 16, seq: 24 },
} as const satisfies StructLayout;

export const SPA_META_CURSOR = {
  name: 'struct spa_meta_cursor',
  sizeBytes: 28,
  mayGrow: false,
  fields: { id: 0, flags: 4, position: 8, hotspot: 16, bitmap_offset: 24 },
} as const satisfies StructLayout;

export const SPA_META_BITMAP = {
  name: 'struct spa_meta_bitmap',
  sizeBytes: 20,
  mayGrow: false,
  fields: { format: 0, size: 4, stride: 12, offset: 16 },
} as const satisfies StructLayout;

export const PW_BUFFER = {
  name: 'struct pw_buffer',
  sizeBytes: 32,
  mayGrow: true,
  fields: { buffer: 0, user_data: 8, size: 16, requested: 24 },
} as const satisfies StructLayout;

export const PW_STREAM_EVENTS = {
  name: 'struct pw_stream_events',
  sizeBytes: 96,
  mayGrow: false,
  fields: {
    version: 0,
    destroy: 8,
    state_changed: 16,
    param_changed: 40,
    add_buffer: 48,
    remove_buffer: 56,
    process: 64,
    drained: 72,
  },
} as const satisfies StructLayout;

export const PW_CORE_EVENTS = {
  name: 'struct pw_core_events',
  sizeBytes: 72,
  mayGrow: true,
  fields: { version: 0, info: 8, done: 16, ping: 24, error: 32, remove_id: 40, bound_id: 48 },
} as const satisfies StructLayout;

export const PW_CORE_METHODS = {
  name: 'struct pw_core_methods',
  sizeBytes: 72,
  mayGrow: false,
  fields: { add_listener: 8, sync: 24, get_registry: 48, create_object: 56, destroy: 64 },
} as const satisfies StructLayout;

export const PW_REGISTRY_EVENTS = {
  name: 'struct pw_registry_events',
  sizeBytes: 24,
  mayGrow: false,
  fields: { version: 0, global: 8, global_remove: 16 },
} as const satisfies StructLayout;

export const PW_REGISTRY_METHODS = {
  name: 'struct pw_registry_methods',
  sizeBytes: 32,
  mayGrow: false,
  fields: { add_listener: 8, bind: 16, destroy: 24 },
} as const satisfies StructLayout;

export const PW_METADATA_EVENTS = {
  name: 'struct pw_metadata_events',
  sizeBytes: 16,
  mayGrow: false,
  fields: { version: 0, property: 8 },
} as const satisfies StructLayout;

export const PW_METADATA_METHODS = {
  name: 'struct pw_metadata_methods',
  sizeBytes: 32,
  mayGrow: false,
  fields: { add_listener: 8, set_property: 16, clear: 24 },
} as const satisfies StructLayout;

export const SPA_INTERFACE = {
  name: 'struct spa_interface',
  sizeBytes: 32,
  mayGrow: false,
  fields: { type: 0, version: 8, 'cb.funcs': 16, 'cb.data': 24 },
} as const satisfies StructLayout;

export const SPA_HOOK = {
  name: 'struct spa_hook',
  sizeBytes: 48,
  mayGrow: false,
  fields: { link: 0, cb: 16, removed: 32, priv: 40 },
} as const satisfies StructLayout;

export const SPA_DICT = {
  name: 'struct spa_dict',
  sizeBytes: 16,
  mayGrow: false,
  fields: { flags: 0, n_items: 4, items: 8 },
} as const satisfies StructLayout;

export const SPA_DICT_ITEM = {
  name: 'struct spa_dict_item',
  sizeBytes: 16,
  mayGrow: false,
  fields: { key: 0, value: 8 },
} as const satisfies StructLayout;

export const PW_LOOP = {
  name: 'struct pw_loop',
  sizeBytes: 32,
  mayGrow: true,
  fields: { system: 0, loop: 8, control: 16, utils: 24 },
} as const satisfies StructLayout;

export const SPA_LOOP_CONTROL_METHODS = {
  name: 'struct spa_loop_control_methods',
  sizeBytes: 48,
  mayGrow: true,
  fields: { version: 0, get_fd: 8, add_hook: 16, enter: 24, leave: 32, iterate: 40 },
} as const satisfies StructLayout;

/** Every layout of this file, for the comparison with the headers. */
export const LAYOUTS: readonly StructLayout[] = [
  SPA_BUFFER,
  SPA_META,
  SPA_DATA,
  SPA_CHUNK,
  SPA_META_HEADER,
  SPA_META_CURSOR,
  SPA_META_BITMAP,
  PW_BUFFER,
  PW_STREAM_EVENTS,
  PW_CORE_EVENTS,
  PW_CORE_METHODS,
  PW_REGISTRY_EVENTS,
  PW_REGISTRY_METHODS,
  PW_METADATA_EVENTS,
  PW_METADATA_METHODS,
  SPA_INTERFACE,
  SPA_HOOK,
  SPA_DICT,
  SPA_DICT_ITEM,
  PW_LOOP,
  SPA_LOOP_CONTROL_METHODS,
];

/** `PW_STREAM_FLAG_*` (pipewire/stream.h). RT_PROCESS is left out: it calls from a foreign thread. */
export const STREAM_FLAGS = {
  AUTOCONNECT: 1,
  INACTIVE: 2,
  MAP_BUFFERS: 4,
  DRIVER: 8,
  NO_CONVERT: 0x20,
  EXCLUSIVE: 0x40,
  DONT_RECONNECT: 0x80,
  ALLOC_BUFFERS: 0x100,
} as const;

/** `enum spa_direction` (spa/utils/defs.h). */
export const DIRECTIONS = { input: 0, output: 1 } as const;

/** `enum spa_data_type` (spa/buffer/buffer.h). */
export const DATA_TYPES = { INVALID: 0, MEM_PTR: 1, MEM_FD: 2, DMA_BUF: 3, MEM_ID: 4 } as const;

/** `enum spa_meta_type` (spa/buffer/meta.h). */
export const META_TYPES = { HEADER: 1, VIDEO_CROP: 2, VIDEO_DAMAGE: 3, CURSOR: 5 } as const;

/** `SPA_CHUNK_FLAG_CORRUPTED` and `SPA_META_HEADER_FLAG_CORRUPTED`. */
export const CHUNK_CORRUPTED = 1;
export const HEADER_CORRUPTED = 2;

/** `PW_ID_ANY` (pipewire/core.h). */
export const PW_ID_ANY = 0xffff_ffff;
/** `SPA_PARAM_Format` (spa/param/param.h). */
export const PARAM_FORMAT = 4;

/** `enum pw_stream_state` (pipewire/stream.h). */
export const STREAM_STATES = {
  '-1': 'error',
  '0': 'unconnected',
  '1': 'connecting',
  '2': 'paused',
  '3': 'streaming',
} as const;

export type StreamState = (typeof STREAM_STATES)[keyof typeof STREAM_STATES];

/** Interface types and versions a client binds (pipewire/*.h). */
export const INTERFACES = {
  node: { type: 'PipeWire:Interface:Node', version: 3 },
  port: { type: 'PipeWire:Interface:Port', version: 3 },
  link: { type: 'PipeWire:Interface:Link', version: 3 },
  client: { type: 'PipeWire:Interface:Client', version: 3 },
  metadata: { type: 'PipeWire:Interface:Metadata', version: 3 },
  registryVersion: 3,
} as const;
