/**
 * Answers collected RTSP requests: finds the launch they belong to by address or by the key that
 * opens them, lets the flow decide, carries the orders to the host, seals the reply. No sockets.
 */

import type { Collected } from './rtsp-collector.ts';
import { announceReply, stepRtsp } from './rtsp-flow.ts';
import type { RtspHost } from './rtsp-host.ts';
import type { PendingLaunch } from './rtsp-launches.ts';
import {
  parseRtspRequest,
  type RtspRequest,
  type RtspResponse,
  serializeRtspResponse,
} from './rtsp-message.ts';
import { openRtsp, sealedSequence, sealRtsp } from './rtsp-seal.ts';

export interface RtspCounters {
  answered: number;
  /** Plain requests from an address that launched nothing. */
  strangers: number;
  /** Sealed requests that no key opens, or that were seen before. */
  unauthentic: number;
  malformed: number;
}

/** Reported once per finished request, for logs. */
export type RtspNotice = {
  readonly method: string;
  readonly status: number;
  readonly launchId: string;
  readonly reason?: string;
};

export class RtspService {
  readonly counters: RtspCounters = { answered: 0, strangers: 0, unauthentic: 0, malformed: 0 };
  readonly #host: RtspHost;
  readonly #nowMs: () => number;
  readonly #notice: (notice: RtspNotice) => void;

  constructor(host: RtspHost, nowMs: () => number, notice: (notice: RtspNotice) => void) {
    this.#host = host;
    this.#nowMs = nowMs;
    this.#notice = notice;
  }

  /**
   * Bytes to send before the connection is closed; null closes it without a word.
   * @param address where the connection comes from, in any textual form
   */
  async answer(collected: Collected, address: string): Promise<Uint8Array | null> {
    switch (collected.kind) {
      case 'more':
        return null;
      case 'refused':
        this.counters.malformed += 1;
        if (collected.isSealed) return null;
        if (!this.#host.launches.knowsAddress(address, this.#nowMs())) return null;
        return serializeRtspResponse({ status: collected.status, cseq: collected.cseq });
      case 'plain':
        return this.#answerPlain(collected.request, address);
      case 'sealed':
        return this.#answerSealed(collected.wire);
    }
  }

  async #answerPlain(request: RtspRequest, address: string): Promise<Uint8Array> {
    const session = request.headers.get('session');
    const launch = this.#host.launches.findPlain(address, session, this.#nowMs());
    if (!launch) {
      this.counters.strangers += 1;
      return serializeRtspResponse({ status: 403, cseq: request.cseq });
    }
    return serializeRtspResponse(await this.#respond(request, launch));
  }

  async #answerSealed(wire: Uint8Array): Promise<Uint8Array | null> {
    const opened = this.#open(wire);
    if (!opened) {
      this.counters.unauthentic += 1;
      return null;
    }
    const { launch, plaintext } = opened;
    const parsed = parseRtspRequest(plaintext);
    let response: RtspResponse;
    if (parsed.kind === 'request') {
      response = await this.#respond(parsed.request, launch);
    } else {
      this.counters.malformed += 1;
      response = { status: 400, cseq: parsed.kind === 'malformed' ? parsed.cseq : 0 };
    }
    launch.rtsp.hostSequence += 1;
    const reply = serializeRtspResponse(response);
    return sealRtsp(launch.request.key, 'host', launch.rtsp.hostSequence, reply);
  }

  /** The launch whose key opens `wire`. A sequence number that was used already is a replay. */
  #open(wire: Uint8Array): { launch: PendingLaunch; plaintext: Uint8Array } | null {
    const sequence = sealedSequence(wire);
    for (const launch of this.#host.launches.live(this.#nowMs())) {
      if (!launch.sealedRtsp || sequence <= launch.rtsp.clientSequence) continue;
      const plaintext = openRtsp(launch.request.key, 'client', wire);
      if (plaintext === null) continue;
      launch.rtsp.clientSequence = sequence;
      return { launch, plaintext };
    }
    return null;
  }

  async #respond(request: RtspRequest, launch: PendingLaunch): Promise<RtspResponse> {
    const { reason, response } = await this.#carryOut(request, launch);
    this.counters.answered += 1;
    this.#notice({
      method: request.method,
      status: response.status,
      launchId: launch.launchId,
      ...(reason === undefined ? {} : { reason }),
    });
    return response;
  }

  async #carryOut(
    request: RtspRequest,
    launch: PendingLaunch,
  ): Promise<{ response: RtspResponse; reason?: string }> {
    const step = stepRtsp(request, launch, this.#host.policy(launch), this.#host.ports(launch));
    if (step.kind === 'play') this.#host.play(launch);
    if (step.kind !== 'announce') return step;
    const { offer, format, details } = step.decision;
    const outcome = await this.#host.announce(launch, offer, format, details).catch((error) => ({
      ok: false as const,
      status: 500,
      reason: error instanceof Error ? error.message : String(error),
    }));
    if (outcome.ok) {
      this.#host.launches.announced(launch, this.#nowMs());
      return { response: announceReply(launch, step.cseq, 200) };
    }
    launch.rtsp.stage = 'fresh';
    const response = announceReply(launch, step.cseq, outcome.status);
    return { response, reason: outcome.reason };
  }
}
