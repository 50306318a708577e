/**
 * The byte side of a bus connection: unix socket, EXTERNAL authentication, framing, backlog.
 * Source: D-Bus specification, "Authentication Protocol".
 */
import { DbusError } from './dbus-error.ts';
import { type DbusMessage, decodeMessage, messageLength } from './message.ts';

/** Bytes not yet taken by the socket; a bus that stopped reading is treated as gone. */
const BACKLOG_BYTES_MAX = 4 * 1024 * 1024;
const AUTH_LINE_BYTES_MAX = 16_384;

type Socket = Awaited<ReturnType<typeof Bun.connect>>;

export class BusSocket {
  readonly #onMessage: (message: DbusMessage) => void;
  readonly #onClosed: (reason: string) => void;
  #socket: Socket | null = null;
  #backlog: Uint8Array[] = [];
  #backlogBytes = 0;
  #received: Uint8Array = new Uint8Array(0);
  #onAuthLine: ((line: string) => void) | null = null;
  #isClosed = false;

  /** @param onClosed is called once, with the reason, also for {@link close}. */
  constructor(onMessage: (message: DbusMessage) => void, onClosed: (reason: string) => void) {
    this.#onMessage = onMessage;
    this.#onClosed = onClosed;
  }

  /** Connects to `path` (leading NUL: abstract) and authenticates as the process's user. */
  async connect(path: string): Promise<void> {
    const authenticated = Promise.withResolvers<void>();
    this.#onAuthLine = (line) => {
      if (line.startsWith('OK ')) {
        this.#onAuthLine = null;
        this.write(new TextEncoder().encode('BEGIN\r\n'));
        authenticated.resolve();
      } else {
        authenticated.reject(refusedUser());
      }
    };
    try {
      this.#socket = await Bun.connect({
        unix: path,
        socket: {
          data: (_socket, chunk) => this.#receive(chunk),
          drain: () => this.#flush(),
          close: () => {
            authenticated.reject(refusedUser());
            this.close('the bus ended the connection');
          },
          error: (_socket, error) => this.close(`the bus connection broke: ${error.message}`),
        },
      });
    } catch (error) {
      const shown = path.replace('\0', '@');
      const reason = error instanceof Error ? error.message : String(error);
      throw new DbusError('local.unreachable', `no bus answers at ${shown} (${reason})`);
    }
    const hexUid = Buffer.from(String(process.geteuid?.() ?? 0)).toString('hex');
    this.write(new TextEncoder().encode(`\0AUTH EXTERNAL ${hexUid}\r\n`));
    await authenticated.promise;
  }

  write(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    this.#backlog.push(bytes);
    this.#backlogBytes += bytes.length;
    if (this.#backlogBytes > BACKLOG_BYTES_MAX) this.close('the bus does not read any more');
    else this.#flush();
  }

  close(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#backlog = [];
    this.#socket?.end();
    this.#socket = null;
    this.#onClosed(reason);
  }

  #flush(): void {
    while (this.#socket) {
      const first = this.#backlog[0];
      if (!first) return;
      const written = this.#socket.write(first);
      if (written <= 0) return;
      this.#backlogBytes -= written;
      if (written < first.length) this.#backlog[0] = first.subarray(written);
      else this.#backlog.shift();
    }
  }

  #receive(chunk: Uint8Array): void {
    const joined = new Uint8Array(this.#received.length + chunk.length);
    joined.set(this.#received);
    joined.set(chunk, this.#received.length);
    let rest = this.#onAuthLine ? this.#receiveAuth(joined) : joined;
    while (!this.#onAuthLine && !this.#isClosed) {
      const length = messageLength(rest);
      if (length === 'not-a-message') {
        this.close('the bus sent what is not a message');
        return;
      }
      if (length === null || rest.length < length) break;
      const message = decodeMessage(rest.subarray(0, length));
      rest = rest.subarray(length);
      if (message) this.#onMessage(message);
    }
    this.#received = rest.slice();
  }

  #receiveAuth(bytes: Uint8Array): Uint8Array {
    const end = bytes.indexOf(0x0a);
    if (end < 0) {
      if (bytes.length > AUTH_LINE_BYTES_MAX) this.close('the bus sent no end of line');
      return bytes;
    }
    this.#onAuthLine?.(new TextDecoder().decode(bytes.subarray(0, end)).trim());
    return bytes.subarray(end + 1);
  }
}

/** What a bus of another user amounts to: it rejects EXTERNAL or hangs up before Hello. */
export function refusedUser(): DbusError {
  return new DbusError(
    'local.refused',
    `the session bus refused user ${process.geteuid?.() ?? '?'}: a bus serves only its own user; ` +
      'run punktfunk as the user of the desktop',
  );
}
