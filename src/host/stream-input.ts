/**
 * The device's keyboard, pointer, touch and pen on the screen of its stream. Moves to another screen
 * when the stream does, and lets go of everything that is held before it leaves one.
 */
import { InputDispatcher } from '../inject/dispatch.ts';
import type { InputEvent } from '../inject/dispatch-events.ts';
import type { Injector } from '../inject/port.ts';
import { logger } from '../platform/log.ts';
import type { DisplayLease } from '../vdisplay/port.ts';

const log = logger('input');

export class StreamInput {
  #injector: Injector | null = null;
  #dispatcher: InputDispatcher | null = null;
  /** Screen that was asked for last; an injector for another one comes too late. */
  #wanted: DisplayLease | null = null;

  /** Without effect while there is no screen. */
  handle(event: InputEvent): void {
    this.#dispatcher?.handle(event);
  }

  /** Never rejects: a screen without input is still worth streaming; the reason is logged. */
  async moveTo(lease: DisplayLease): Promise<void> {
    this.close();
    this.#wanted = lease;
    try {
      const injector = await lease.openInjector();
      if (this.#wanted !== lease || this.#injector) {
        injector.close();
        return;
      }
      this.#injector = injector;
      this.#dispatcher = new InputDispatcher(injector);
      log.info(injector.description);
    } catch (error) {
      log.warn('keyboard and pointer cannot be passed on', { cause: messageOf(error) });
    }
  }

  /** Lets go of every key, button and contact before the injector goes. Idempotent, never throws. */
  close(): void {
    const dispatcher = this.#dispatcher;
    const injector = this.#injector;
    this.#wanted = null;
    this.#dispatcher = null;
    this.#injector = null;
    try {
      dispatcher?.releaseAll();
      injector?.close();
    } catch (error) {
      log.warn('the input of a screen could not be closed', { cause: messageOf(error) });
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
