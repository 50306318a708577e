/**
 * Feeds an injector from a device's input events and lets go of everything when the session ends,
 * switches or dies. Pads go to the gamepad backend, not through here.
 */
import type { InputEvent } from './dispatch-events.ts';
import { HeldState } from './held-state.ts';
import { evdevOfVirtualKey } from './keymap.ts';
import type { Injector } from './port.ts';

export class InputDispatcher {
  readonly #injector: Injector;
  readonly #held = new HeldState();
  #unknownKeyCount = 0;

  constructor(injector: Injector) {
    this.#injector = injector;
  }

  /** Key events whose virtual key no keyboard here has. */
  get unknownKeyCount(): number {
    return this.#unknownKeyCount;
  }

  get holdsNothing(): boolean {
    return this.#held.isEmpty;
  }

  handle(event: InputEvent): void {
    const injector = this.#injector;
    switch (event.kind) {
      case 'pointer-move':
        injector.moveRelative(event.dxPixels, event.dyPixels);
        return;
      case 'pointer-position':
        injector.moveAbsolute(event.x, event.y);
        return;
      case 'pointer-button':
        if (this.#held.button(event.button, event.isDown)) {
          injector.button(event.button, event.isDown);
        }
        return;
      case 'scroll':
        injector.scroll(event.verticalUnits, event.horizontalUnits);
        return;
      case 'key':
        this.#key(event.virtualKey, event.isDown, event.modifiers);
        return;
      case 'text':
        injector.text(event.text);
        return;
      case 'touch':
        if (this.#held.touch(event.contact)) injector.touch(event.contact);
        return;
      case 'pen':
        this.#held.pen(event.sample);
        injector.pen(event.sample);
        return;
      case 'haptics':
      case 'pad-arrival':
      case 'pad-state':
      case 'pad-touch':
      case 'pad-motion':
      case 'pad-battery':
        return;
    }
  }

  /** Releases all that is held. Idempotent. */
  releaseAll(): void {
    for (const release of this.#held.releaseAll()) {
      switch (release.kind) {
        case 'key':
          this.#injector.key(release.evdevCode, false);
          break;
        case 'button':
          this.#injector.button(release.button, false);
          break;
        case 'touch':
          this.#injector.touch(release.contact);
          break;
        case 'pen':
          this.#injector.pen(release.sample);
          break;
      }
    }
  }

  #key(virtualKey: number, isDown: boolean, modifiers: number): void {
    const code = evdevOfVirtualKey(virtualKey);
    if (code === null) {
      this.#unknownKeyCount += 1;
      return;
    }
    for (const stroke of this.#held.key(code, isDown, modifiers)) {
      this.#injector.key(stroke.evdevCode, stroke.isDown);
    }
  }
}
