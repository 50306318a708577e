/**
 * The virtual display port: a screen of exactly the device's mode, read back after it was set, with
 * a source for the capturer and everything needed to put the desktop back.
 */
import type { Availability, CaptureSource } from '../capture/port.ts';
import type { Injector } from '../inject/port.ts';
import type { DisplayMode } from '../session/mode.ts';

export interface DisplayRequest {
  readonly mode: DisplayMode;
  /** Lease identity: one device keeps its screen across reconnects. */
  readonly identity: string;
  /** `virtual` makes an output, `mirror` takes an existing one. */
  readonly kind: 'virtual' | 'mirror';
  /** Output to mirror; absent: the main one. */
  readonly outputName?: string;
}

export interface DisplayLease {
  readonly backend: string;
  /** Compositor's name of the output, e.g. `HEADLESS-2`, `Meta-0`. */
  readonly outputName: string;
  /** The mode that was really set, read back from the compositor. */
  readonly mode: DisplayMode;
  readonly source: CaptureSource;
  /** Variables that make a program appear on this desktop, e.g. `WAYLAND_DISPLAY`. */
  readonly environment?: Readonly<Record<string, string>>;
  /**
   * Reads the mode back once pictures flow (a PipeWire virtual monitor has no size before its
   * consumer asked for one). Resolves to the real mode.
   */
  readBack(): Promise<DisplayMode>;
  /** Injector whose coordinates are this screen's. One per lease. */
  openInjector(): Promise<Injector>;
  /** Resolves when the compositor took the screen away by itself; never rejects. */
  readonly lost: Promise<string>;
  /** Removes the output and restores the topology. Idempotent. */
  release(): Promise<void>;
}

export interface VirtualDisplayBackend {
  readonly name: 'wlroots' | 'mutter' | 'portal';
  /** Changes nothing. */
  probe(): Promise<Availability>;
  acquire(request: DisplayRequest): Promise<DisplayLease>;
}
