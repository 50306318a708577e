/** A responder on scripted links, with a clock that the test turns. */
import type { MdnsMessage, MdnsRecord, OutgoingMessage } from '../../src/net/mdns-message.ts';
import { type MdnsAction, MdnsResponder } from '../../src/net/mdns-responder.ts';
import { type MdnsService, MdnsZone } from '../../src/net/mdns-zone.ts';

export const SERVICE: MdnsService = {
  instance: 'den',
  type: '_nvstream._tcp',
  port: 47_989,
  txt: [],
};
export const LINK = { key: 'eth0/IPv4', addresses: ['192.0.2.1'] };
export const WIFI = { key: 'wlan0/IPv4', addresses: ['198.51.100.1', 'fe80::1'] };
export const PEER = { address: '192.0.2.9', port: 5353 };
export const HOST = 'punktfunk-1.local';
export const INSTANCE = 'den._nvstream._tcp.local';
export const TYPE = '_nvstream._tcp.local';

export interface ScriptedResponder {
  readonly responder: MdnsResponder;
  readonly zone: MdnsZone;
  /** Turns the clock to `untilMs` and returns what was sent, with the times. */
  run(untilMs: number): { atMs: number; action: MdnsAction }[];
}

export function scriptResponder(
  services: readonly MdnsService[] = [SERVICE],
  links = [LINK],
  random: () => number = () => 0.5,
): ScriptedResponder {
  const zone = new MdnsZone('punktfunk-1', services);
  const responder = new MdnsResponder(zone, links, random);
  const run = (untilMs: number) => {
    const sent: { atMs: number; action: MdnsAction }[] = [];
    for (let wakeMs = responder.nextWakeMs(); wakeMs !== null; wakeMs = responder.nextWakeMs()) {
      const atMs = wakeMs;
      if (atMs > untilMs) break;
      sent.push(...responder.poll(atMs).map((action) => ({ atMs, action })));
    }
    return sent;
  };
  return { responder, zone, run };
}

/** A responder that has claimed its names; the last announcement was at 1875 ms. */
export function runningResponder(...setup: Parameters<typeof scriptResponder>): ScriptedResponder {
  const script = scriptResponder(...setup);
  script.responder.start(0);
  script.run(5_000);
  return script;
}

export function message(content: Partial<MdnsMessage>): MdnsMessage {
  return {
    id: 0,
    isTruncated: false,
    questions: [],
    answers: [],
    authorities: [],
    additionals: [],
    ...content,
  };
}

export const ask = (name: string, type = 'ANY', wantsUnicast = false) =>
  message({ questions: [{ name, type, wantsUnicast }] });

export const srv = (port: number, target = 'other.local', name = INSTANCE): MdnsRecord => ({
  name,
  ttlS: 120,
  data: { type: 'SRV', port, target },
});

export const pointer = (name: string, target: string, ttlS = 4_500): MdnsRecord => ({
  name,
  ttlS,
  data: { type: 'PTR', target },
});

/** `name type` of the answers, for short comparisons. */
export const answersOf = ({ answers }: OutgoingMessage) =>
  answers.map(({ name, data }) => `${name} ${data.type}`);
