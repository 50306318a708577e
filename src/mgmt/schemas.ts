/**
 * Shapes of the management API, one valibot schema each. The OpenAPI document, the checks of
 * requests, the tests of responses and the types of `host-port.ts` come from here.
 *
 * A number that is not known is null, and `unknown` of its record says why; it is never 0.
 */
import * as v from 'valibot';
import { STAGES } from '../pipeline/stream-control.ts';
import { DEVICE_NAME_LENGTH_MAX } from '../trust/device-record.ts';

/** Lower-case hex SHA-256 of a certificate's DER. */
const Fingerprint = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const Count = v.pipe(v.number(), v.integer(), v.minValue(0));
const Timestamp = v.pipe(v.string(), v.isoTimestamp());
const Plane = v.picklist(['gamestream', 'native']);
const Codec = v.picklist(['h264', 'hevc', 'av1']);
/** Field name → why it is null. */
const Unknown = v.record(v.string(), v.string());
const Port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535));

export const ApiErrorSchema = v.pipe(
  v.object({
    /** One sentence for a person. */
    error: v.string(),
    /** Stable word for programs, where one status has several causes. */
    code: v.optional(v.string()),
  }),
  v.metadata({ ref: 'ApiError' }),
);

export const HealthSchema = v.pipe(
  v.object({ status: v.literal('ok'), version: v.string(), abi_version: Count }),
  v.metadata({ ref: 'Health' }),
);

export const HostFactsSchema = v.pipe(
  v.object({
    hostname: v.string(),
    uniqueid: v.string(),
    fingerprint: Fingerprint,
    local_ip: v.nullable(v.string()),
    version: v.string(),
    abi_version: Count,
    app_version: v.string(),
    gfe_version: v.string(),
    codecs: v.array(Codec),
    gamestream: v.boolean(),
    ports: v.object({
      mgmt: Port,
      http: v.nullable(Port),
      https: v.nullable(Port),
      rtsp: v.nullable(Port),
      video: v.nullable(Port),
      control: v.nullable(Port),
      audio: v.nullable(Port),
    }),
  }),
  v.metadata({ ref: 'HostFacts' }),
);

/** The rung of a ladder in use and why the better ones are not. */
export const RungReportSchema = v.pipe(
  v.object({
    taken: v.nullable(v.string()),
    detail: v.string(),
    refused: v.array(v.object({ rung: v.string(), missing: v.string(), remedy: v.string() })),
  }),
  v.metadata({ ref: 'RungReport' }),
);

const StageTimingSchema = v.object({
  name: v.picklist(STAGES),
  p50_us: v.nullable(v.number()),
  p99_us: v.nullable(v.number()),
});

export const SessionRowSchema = v.pipe(
  v.object({
    id: v.string(),
    plane: Plane,
    state: v.picklist(['starting', 'streaming', 'ending']),
    fingerprint: Fingerprint,
    /** Network address of the device. */
    client: v.string(),
    client_name: v.string(),
    /** `1280x720@60` */
    mode: v.string(),
    hdr: v.boolean(),
    codec: Codec,
    bit_depth: v.picklist([8, 10]),
    chroma: v.picklist(['420', '444']),
    bitrate: v.object({
      target_kbps: Count,
      applied_kbps: v.nullable(Count),
      capped_by: v.nullable(v.picklist(['encoder', 'client', 'policy', 'link'])),
    }),
    encoder: v.object({ backend: v.string(), gpu: v.nullable(v.string()) }),
    display: v.object({
      backend: v.string(),
      output: v.nullable(v.string()),
      requested: v.string(),
      actual: v.nullable(v.string()),
    }),
    app: v.nullable(v.object({ id: v.number(), title: v.string() })),
    audio: v.object({ channels: v.picklist([2, 6, 8]), source: v.string() }),
    pads: v.array(Count),
    uptime_s: Count,
    counters: v.object({
      frames_captured: v.nullable(Count),
      frames_repeated: v.nullable(Count),
      frames_sent: v.nullable(Count),
      frames_dropped: v.nullable(Count),
      frames_oversize: v.nullable(Count),
      packets_sent: v.nullable(Count),
      packets_dropped: v.nullable(Count),
      idr: v.nullable(Count),
      rfi: v.nullable(Count),
      capture_rebuilds: v.nullable(Count),
      audio_packets: v.nullable(Count),
    }),
    stages: v.array(StageTimingSchema),
    link: v.object({ rtt_ms: v.nullable(v.number()), lost_packets: v.nullable(Count) }),
    /** One sentence per wish of the device that is not met. */
    notes: v.array(v.string()),
    last_warning: v.nullable(v.string()),
    unknown: Unknown,
  }),
  v.metadata({ ref: 'SessionRow' }),
);

export const StatusDocumentSchema = v.pipe(
  v.object({
    version: v.string(),
    uptime_s: Count,
    video_streaming: v.boolean(),
    audio_streaming: v.boolean(),
    pin_pending: v.boolean(),
    paired_clients: Count,
    active_sessions: Count,
    /** Size of the first session; null when nothing streams. */
    session: v.nullable(v.object({ width: Count, height: Count, fps: v.number() })),
    stream: v.nullable(
      v.object({
        width: Count,
        height: Count,
        fps: v.number(),
        bitrate_kbps: Count,
        packet_size: v.nullable(Count),
        min_fec: v.nullable(Count),
        codec: Codec,
      }),
    ),
    sessions: v.array(SessionRowSchema),
    capture: RungReportSchema,
    encoder: RungReportSchema,
    audio: RungReportSchema,
  }),
  v.metadata({ ref: 'StatusDocument' }),
);

export const DeviceRowSchema = v.pipe(
  v.object({
    fingerprint: Fingerprint,
    name: v.string(),
    plane: Plane,
    enabled: v.boolean(),
    paired_at: v.nullable(Timestamp),
    last_seen: v.nullable(Timestamp),
    live_sessions: v.array(v.string()),
  }),
  v.metadata({ ref: 'DeviceRow' }),
);

export const PairingRequestRowSchema = v.pipe(
  v.object({
    id: v.string(),
    plane: Plane,
    kind: v.picklist(['pin', 'approve']),
    name: v.string(),
    /** Network address that asks. */
    peer: v.string(),
    fingerprint: v.nullable(Fingerprint),
    age_s: Count,
    expires_in_s: Count,
    /** True when the address is outside the local networks. */
    remote: v.boolean(),
  }),
  v.metadata({ ref: 'PairingRequestRow' }),
);

export const PairedSchema = v.pipe(
  v.object({ paired: v.literal(true), device: DeviceRowSchema }),
  v.metadata({ ref: 'Paired' }),
);

export const CountSchema = v.pipe(v.object({ count: Count }), v.metadata({ ref: 'AffectedCount' }));

const NAME_RULE = `must be 1 to ${DEVICE_NAME_LENGTH_MAX} characters without control characters`;

/** Refused here, not cleaned silently: the operator shall see what is stored. */
const DeviceName = v.pipe(
  v.string(NAME_RULE),
  v.trim(),
  v.minLength(1, NAME_RULE),
  v.maxLength(DEVICE_NAME_LENGTH_MAX, NAME_RULE),
  v.regex(
    /^[^\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+$/,
    NAME_RULE,
  ),
);

export const DevicePatchSchema = v.pipe(
  v.strictObject({
    name: v.optional(DeviceName),
    enabled: v.optional(v.boolean('must be true or false')),
  }),
  v.metadata({ ref: 'DevicePatch' }),
);

const PIN_RULE = 'must be a text of 1 to 16 digits';

export const PinSubmissionSchema = v.pipe(
  v.strictObject({
    pin: v.pipe(v.string(PIN_RULE), v.regex(/^[0-9]{1,16}$/, PIN_RULE)),
    name: v.optional(DeviceName),
  }),
  v.metadata({ ref: 'PinSubmission' }),
);

/** Clients may write fingerprints in either case. */
export const FingerprintParamSchema = v.strictObject({
  fingerprint: v.pipe(
    v.string(),
    v.regex(/^[0-9a-fA-F]{64}$/, 'must be 64 hexadecimal characters'),
    v.toLowerCase(),
  ),
});

export const RequestParamSchema = v.strictObject({
  id: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be the id of a request')),
});

export const SessionParamSchema = v.strictObject({
  id: v.pipe(
    v.string(),
    v.regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/, 'must be the id of a session'),
  ),
});

export const StopQuerySchema = v.strictObject({
  how: v.optional(v.picklist(['quit', 'drop'], 'must be quit or drop'), 'quit'),
});

export type ApiError = v.InferOutput<typeof ApiErrorSchema>;
export type HostFacts = v.InferOutput<typeof HostFactsSchema>;
export type RungReport = v.InferOutput<typeof RungReportSchema>;
export type SessionRow = v.InferOutput<typeof SessionRowSchema>;
export type StatusDocument = v.InferOutput<typeof StatusDocumentSchema>;
export type DeviceRow = v.InferOutput<typeof DeviceRowSchema>;
export type PairingRequestRow = v.InferOutput<typeof PairingRequestRowSchema>;
