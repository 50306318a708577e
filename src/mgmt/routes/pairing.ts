/**
 * Routes of pairing. A PIN is always given for one request, chosen by its id, so that it can never
 * serve an attempt that the operator did not see.
 */
import * as v from 'valibot';
import type { ManagedHost, PinOutcome, PinRefusal } from '../host-port.ts';
import { type Route, type RouteReply, refuse, route } from '../route.ts';
import {
  PairedSchema,
  PairingRequestRowSchema,
  PinSubmissionSchema,
  RequestParamSchema,
} from '../schemas.ts';

/** How long an answer waits for the device to finish the ceremony. */
export const PIN_RESULT_WAIT_MS = 15_000;

const NO_REQUEST = 'No pairing request has this id; it may have ended or expired.';

const AGAIN = 'Start pairing on the device again and take its new PIN.';

/** Why a PIN did not pair, as the operator reads it. */
const REFUSALS: Readonly<Record<PinRefusal, string>> = {
  wrong_pin: `The device shows another PIN. ${AGAIN}`,
  expired: `The pairing request expired. ${AGAIN}`,
  client_gone: `The device went away before pairing ended. ${AGAIN}`,
  denied: `The request was refused on this host. ${AGAIN}`,
  bad_exchange: `The device did not keep to the pairing protocol, so it was refused. ${AGAIN}`,
  bad_pin: 'This kind of device shows four digits. Give exactly these.',
  already_answered: `A PIN was already given for this request. ${AGAIN}`,
  not_stored:
    'The device proved itself, but it could not be saved. Make the state folder writable.',
};

export const PAIRING_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/pairing/requests',
    operationId: 'listPairingRequests',
    tag: 'pairing',
    summary: 'Devices that wait for a PIN',
    lanes: ['admin'],
    reply: v.array(PairingRequestRowSchema),
    success: { status: 200, description: 'All open requests, oldest first' },
    refusals: [],
    handle: ({ host }) => ({ status: 200, body: host.pairingRequests() }),
  }),
  route({
    method: 'POST',
    path: '/pairing/requests/{id}/pin',
    operationId: 'submitPin',
    tag: 'pairing',
    summary:
      'Gives the PIN that one device shows; answers when pairing has ended, after 15 s at most',
    lanes: ['admin'],
    params: RequestParamSchema,
    body: PinSubmissionSchema,
    reply: PairedSchema,
    success: { status: 200, description: 'Paired' },
    refusals: [
      { status: 404, description: 'No such request' },
      {
        status: 409,
        description:
          'Not paired; code is wrong_pin, expired, client_gone, already_answered or timeout',
      },
    ],
    handle: async ({ host, params, body }) => {
      const outcome = await pinOutcome(host, params.id, body.pin, body.name);
      return pinReply(outcome);
    },
  }),
  route({
    method: 'POST',
    path: '/pairing/requests/{id}/deny',
    operationId: 'denyPairing',
    tag: 'pairing',
    summary: 'Refuses one request',
    lanes: ['admin'],
    params: RequestParamSchema,
    success: { status: 204, description: 'Refused' },
    refusals: [{ status: 404, description: 'No such request' }],
    handle: ({ host, params }) =>
      host.denyPairing(params.id) ? { status: 204 } : refuse(404, NO_REQUEST),
  }),
];

function pinReply(outcome: PinOutcome | { outcome: 'timeout' }): RouteReply {
  switch (outcome.outcome) {
    case 'paired':
      return { status: 200, body: { paired: true, device: outcome.device } };
    case 'no_request':
      return refuse(404, NO_REQUEST);
    case 'timeout':
      return refuse(
        409,
        'The device has not finished pairing yet. Look at the list of devices in a moment.',
        'timeout',
      );
    case 'refused':
      return refuse(
        outcome.code === 'not_stored' ? 500 : 409,
        REFUSALS[outcome.code],
        outcome.code,
      );
  }
}

async function pinOutcome(
  host: ManagedHost,
  requestId: string,
  pin: string,
  name: string | undefined,
): Promise<PinOutcome | { outcome: 'timeout' }> {
  const { promise, resolve } = Promise.withResolvers<{ outcome: 'timeout' }>();
  const timer = setTimeout(() => resolve({ outcome: 'timeout' }), PIN_RESULT_WAIT_MS);
  try {
    return await Promise.race([host.submitPin(requestId, pin, name), promise]);
  } finally {
    clearTimeout(timer);
  }
}
