/** A control server on a fake clock with devices that speak ENet and sealed messages to it. */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { ControlServer } from '../../../src/gamestream/control/server.ts';
import type {
  ControlEvent,
  ControlExpectation,
  ControlSession,
} from '../../../src/gamestream/control/session.ts';
import { EnetClient } from '../../peers/moonlight/enet-client.ts';

export const KEY = Uint8Array.from({ length: 16 }, (_, index) => index * 5);

export class ControlRig {
  nowMs = 1000;
  readonly server: ControlServer;
  /** Devices by the address they send from. */
  readonly devices = new Map<string, TestDevice>();
  /** Datagrams on their way to the host are dropped while set. */
  isDeaf = false;

  constructor() {
    this.server = new ControlServer({
      nowMs: () => this.nowMs,
      transmit: (to, bytes) => this.devices.get(to)?.enet.receive(bytes, this.nowMs),
      wake: () => undefined,
    });
  }

  expectDevice(changes: Partial<ControlExpectation> = {}): {
    session: ControlSession;
    events: ControlEvent[];
    kinds: () => string[];
  } {
    const events: ControlEvent[] = [];
    const session = this.server.expect(
      {
        launchId: 'one',
        key: KEY,
        variant: 'v2',
        connectData: 77,
        usesSessionIds: true,
        peerAddress: '10.0.0.2',
        ...changes,
      },
      (event) => events.push(event),
    );
    return { session, events, kinds: () => events.map((event) => event.kind) };
  }

  run(milliseconds: number): void {
    for (let step = 0; step < milliseconds; step += 1) {
      this.nowMs += 1;
      if (this.nowMs >= this.server.nextWakeMs()) this.server.tick();
      for (const device of this.devices.values()) device.enet.tick(this.nowMs);
    }
  }
}

let connectIds = 0;

export class TestDevice {
  address: string;
  readonly enet: EnetClient;
  readonly received: { type: number; payload: string; sequence: number }[] = [];
  readonly ends: string[] = [];
  isV2 = true;
  sequence = 0;
  readonly #rig: ControlRig;

  constructor(rig: ControlRig, address = '10.0.0.2|50000', connectData = 77) {
    this.#rig = rig;
    this.address = address;
    connectIds += 1;
    this.enet = new EnetClient({
      transmit: (bytes) => {
        if (!rig.isDeaf) rig.server.receive(bytes, this.address);
      },
      onMessage: (_channel, bytes) => this.#hear(bytes),
      onDisconnected: (reason) => this.ends.push(reason),
      connectData,
      connectId: connectIds,
    });
    rig.devices.set(address, this);
  }

  connect(): this {
    this.enet.connect(this.#rig.nowMs);
    return this;
  }

  /** Sends from another port from now on. */
  move(address: string): void {
    this.#rig.devices.delete(this.address);
    this.address = address;
    this.#rig.devices.set(address, this);
  }

  send(type: number, payloadHex = '', channel = 0): Buffer {
    const wire = this.seal(type, payloadHex, this.sequence);
    this.sequence += 1;
    this.sendRaw(wire, channel);
    return wire;
  }

  sendRaw(wire: Uint8Array, channel = 0): void {
    this.enet.sendReliable(channel, wire, this.#rig.nowMs);
  }

  seal(type: number, payloadHex: string, sequence: number): Buffer {
    const payload = Buffer.from(payloadHex, 'hex');
    const plain = Buffer.alloc(4);
    plain.writeUInt16LE(type, 0);
    plain.writeUInt16LE(payload.length, 2);
    const cipher = createCipheriv('aes-128-gcm', KEY, this.#iv(sequence, 'C'));
    const body = Buffer.concat([cipher.update(Buffer.concat([plain, payload])), cipher.final()]);
    const head = Buffer.alloc(8);
    head.writeUInt16LE(1, 0);
    head.writeUInt16LE(20 + body.length, 2);
    head.writeUInt32LE(sequence, 4);
    return Buffer.concat([head, cipher.getAuthTag(), body]);
  }

  #hear(wire: Uint8Array): void {
    const bytes = Buffer.from(wire);
    const sequence = bytes.readUInt32LE(4);
    const decipher = createDecipheriv('aes-128-gcm', KEY, this.#iv(sequence, 'H'));
    decipher.setAuthTag(bytes.subarray(8, 24));
    const plain = Buffer.concat([decipher.update(bytes.subarray(24)), decipher.final()]);
    const payload = plain.subarray(4, 4 + plain.readUInt16LE(2)).toString('hex');
    this.received.push({ type: plain.readUInt16LE(0), payload, sequence });
  }

  #iv(sequence: number, sender: 'C' | 'H'): Buffer {
    if (!this.isV2) {
      const iv = Buffer.alloc(16);
      iv[0] = sequence & 255;
      return iv;
    }
    const iv = Buffer.alloc(12);
    iv.writeUInt32LE(sequence, 0);
    iv.write(`${sender}C`, 10, 'latin1');
    return iv;
  }
}
