/**
 * Objects of a PipeWire daemon reached through proxies: the registry, metadata stores and nodes we
 * make. Made by `PipewireLoop`; everything dies with its connection.
 */
import {
  INTERFACES,
  PW_CORE_METHODS,
  PW_METADATA_EVENTS,
  PW_METADATA_METHODS,
  PW_REGISTRY_EVENTS,
  PW_REGISTRY_METHODS,
  SPA_DICT,
  SPA_DICT_ITEM,
} from './libpipewire-layout.ts';
import {
  EventTable,
  libpipewire,
  NativeInterface,
  newProperties,
  type PipewireProperties,
  pointerAt,
  resultText,
  textAt,
  u32At,
} from './libpipewire-symbols.ts';
import { cString } from './loader.ts';
import { pin, unpin } from './pins.ts';

/** Properties taken from one object; a daemon's objects have below a hundred. */
const DICT_ITEMS_MAX = 512;

/** One object of the daemon, as its registry announces it. */
export interface PipewireGlobal {
  readonly id: number;
  /** Interface type, e.g. `PipeWire:Interface:Node`. */
  readonly type: string;
  readonly version: number;
  readonly props: Readonly<Record<string, string>>;
}

export interface RegistryListener {
  readonly onGlobal: (global: PipewireGlobal) => void;
  readonly onRemove: (id: number) => void;
}

const ADD_LISTENER = { args: ['ptr', 'ptr', 'ptr', 'ptr'], returns: 'i32' } as const;

/** The list of everything the daemon has, kept up to date while the loop is iterated. */
export class PipewireRegistry {
  readonly #proxy: number;
  readonly #object: number;
  readonly #events: EventTable;
  readonly #bind;
  readonly #destroyGlobal;

  constructor(
    core: NativeInterface,
    listener: RegistryListener,
    onFault: (error: unknown) => void,
  ) {
    // struct pw_registry *get_registry(void *object, uint32_t version, size_t user_data_size);
    const getRegistry = core.method(PW_CORE_METHODS.fields.get_registry, {
      args: ['ptr', 'u32', 'usize'],
      returns: 'ptr',
    });
    const proxy = getRegistry(core.object, INTERFACES.registryVersion, 0);
    if (!proxy) throw new Error('pipewire: the registry is not reachable');
    this.#proxy = proxy;
    const methods = new NativeInterface(proxy);
    this.#object = methods.object;
    // void *bind(void *object, uint32_t id, const char *type, uint32_t version, size_t size);
    this.#bind = methods.method(PW_REGISTRY_METHODS.fields.bind, {
      args: ['ptr', 'u32', 'ptr', 'u32', 'usize'],
      returns: 'ptr',
    });
    // int destroy(void *object, uint32_t id);
    this.#destroyGlobal = methods.method(PW_REGISTRY_METHODS.fields.destroy, {
      args: ['ptr', 'u32'],
      returns: 'i32',
    });
    this.#events = new EventTable(
      PW_REGISTRY_EVENTS,
      0,
      {
        // void global(void *data, uint32_t id, uint32_t permissions, const char *type,
        //             uint32_t version, const struct spa_dict *props);
        global: {
          args: ['u32', 'u32', 'ptr', 'u32', 'ptr'],
          handle: (id, _permissions, type, version, props) =>
            listener.onGlobal({
              id: id ?? 0,
              type: textAt(type ?? 0),
              version: version ?? 0,
              props: readDict(props ?? 0),
            }),
        },
        global_remove: { args: ['u32'], handle: (id) => listener.onRemove(id ?? 0) },
      },
      onFault,
    );
    listen(methods, PW_REGISTRY_METHODS.fields.add_listener, this.#events);
  }

  /** Proxy of a global; only for the other classes of this file. */
  bind(id: number, interfaceType: string, version: number): number {
    const proxy = this.#bind(this.#object, id, cString(interfaceType), version, 0);
    if (!proxy) throw new Error(`pipewire: object ${id} (${interfaceType}) cannot be bound`);
    return proxy;
  }

  /** Asks the daemon to destroy a global, e.g. a lingering node of an earlier run. */
  destroyGlobal(id: number): void {
    this.#destroyGlobal(this.#object, id);
  }

  dispose(): void {
    libpipewire().pw_proxy_destroy(this.#proxy);
    this.#events.dispose();
  }
}

export type MetadataProperty = {
  readonly subject: number;
  /** Null when all keys of the subject were removed. */
  readonly key: string | null;
  readonly type: string;
  /** Null when the key was removed. */
  readonly value: string | null;
};

/** One metadata store, e.g. `default` with the default sink and source. */
export class PipewireMetadata {
  readonly #proxy: number;
  readonly #object: number;
  readonly #events: EventTable;
  readonly #setProperty;
  #disposed = false;

  constructor(
    registry: PipewireRegistry,
    globalId: number,
    onProperty: (property: MetadataProperty) => void,
    onFault: (error: unknown) => void,
  ) {
    const { type, version } = INTERFACES.metadata;
    this.#proxy = registry.bind(globalId, type, version);
    const methods = new NativeInterface(this.#proxy);
    this.#object = methods.object;
    // int set_property(void *object, uint32_t subject, const char *key, const char *type,
    //                  const char *value);
    this.#setProperty = methods.method(PW_METADATA_METHODS.fields.set_property, {
      args: ['ptr', 'u32', 'ptr', 'ptr', 'ptr'],
      returns: 'i32',
    });
    this.#events = new EventTable(
      PW_METADATA_EVENTS,
      0,
      {
        property: {
          args: ['u32', 'ptr', 'ptr', 'ptr'],
          returns: 'i32',
          handle: (subject, key, valueType, value) =>
            onProperty({
              subject: subject ?? 0,
              key: key ? textAt(key) : null,
              type: textAt(valueType ?? 0),
              value: value ? textAt(value) : null,
            }),
        },
      },
      onFault,
    );
    listen(methods, PW_METADATA_METHODS.fields.add_listener, this.#events);
  }

  /** @param value null removes the key; @param type e.g. `Spa:String:JSON`, null for plain text. */
  set(subject: number, key: string, type: string | null, value: string | null): void {
    if (this.#disposed) throw new Error('pipewire: this metadata store is closed');
    const texts = [cString(key), type === null ? null : cString(type)] as const;
    const bytes = value === null ? null : cString(value);
    const result = this.#setProperty(this.#object, subject, texts[0], texts[1], bytes);
    if (result < 0) throw new Error(`pipewire: metadata ${key} not set: ${resultText(result)}`);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    libpipewire().pw_proxy_destroy(this.#proxy);
    this.#events.dispose();
  }
}

/** An object made by us in the daemon. It goes away with us unless it was made with linger. */
export class PipewireObject {
  readonly #proxy: number;
  #disposed = false;

  constructor(
    core: NativeInterface,
    factory: string,
    type: string,
    version: number,
    props: PipewireProperties,
  ) {
    // void *create_object(void *object, const char *factory_name, const char *type,
    //                     uint32_t version, const struct spa_dict *props, size_t user_data_size);
    const createObject = core.method(PW_CORE_METHODS.fields.create_object, {
      args: ['ptr', 'ptr', 'ptr', 'u32', 'ptr', 'usize'],
      returns: 'ptr',
    });
    // A pw_properties begins with its spa_dict.
    const properties = newProperties(props);
    const names = [cString(factory), cString(type)] as const;
    const proxy = createObject(core.object, names[0], names[1], version, properties, 0);
    libpipewire().pw_properties_free(properties);
    if (!proxy) throw new Error(`pipewire: ${factory} could not be made`);
    this.#proxy = proxy;
    pin(this);
  }

  /** Id of the proxy in error events; not the object's global id. */
  get proxyId(): number {
    return libpipewire().pw_proxy_get_id(this.#proxy);
  }

  /** Global id, or PW_ID_ANY while the daemon has not answered (call `sync` first). */
  get globalId(): number {
    return libpipewire().pw_proxy_get_bound_id(this.#proxy);
  }

  /** Destroys the object in the daemon too. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    libpipewire().pw_proxy_destroy(this.#proxy);
    unpin(this);
  }
}

/** Adds an event table to an interface through its own `add_listener` method. */
export function listen(methods: NativeInterface, slotBytes: number, events: EventTable): void {
  const add = methods.method(slotBytes, ADD_LISTENER);
  add(methods.object, events.hookAddress, events.structAddress, null);
}

/** Copies a `struct spa_dict`. */
export function readDict(address: number): Readonly<Record<string, string>> {
  const result: Record<string, string> = {};
  if (address === 0) return result;
  const count = Math.min(u32At(address, SPA_DICT.fields.n_items), DICT_ITEMS_MAX);
  const items = pointerAt(address, SPA_DICT.fields.items);
  for (let i = 0; i < count; i++) {
    const item = items + i * SPA_DICT_ITEM.sizeBytes;
    const key = textAt(pointerAt(item, SPA_DICT_ITEM.fields.key));
    result[key] = textAt(pointerAt(item, SPA_DICT_ITEM.fields.value));
  }
  return result;
}
