/** The rung of each ladder in use and why the better ones are not, for start-up lines and status. */
import type { EncoderLadder } from '../encode/ladder.ts';
import type { RungReport } from '../mgmt/schemas.ts';
import type { DisplaySource } from '../session/plan.ts';
import type { DisplayProbe, SoundProbe } from './capabilities.ts';

export function captureReport(source: DisplaySource | 'auto', probe: DisplayProbe): RungReport {
  const refused = probe.refused.map((rung) => ({ ...rung }));
  if (source === 'synthetic') {
    return { taken: 'synthetic', detail: 'moving test card, as set', refused: [] };
  }
  const wanted = probe.displays.find(({ backend, sources }) =>
    source === 'auto' ? backend !== 'synthetic' : sources.includes(source),
  );
  if (wanted) {
    return { taken: wanted.backend, detail: probe.details.get(wanted.backend) ?? '', refused: [] };
  }
  if (source === 'auto') {
    return { taken: 'synthetic', detail: 'moving test card, no desktop was found', refused };
  }
  return { taken: null, detail: `nothing offers the source ${source}`, refused };
}

export function encoderReport(ladder: EncoderLadder): RungReport {
  return {
    taken: ladder.rung?.name ?? null,
    detail: ladder.detail.replace(`${ladder.rung?.name}: `, ''),
    refused: ladder.betterRungs.map((rung) => ({ ...rung })),
  };
}

export function soundReport(isOn: boolean, probe: SoundProbe): RungReport {
  if (!isOn) return { taken: 'silence', detail: 'sound is turned off', refused: [] };
  if (probe.available) return { taken: 'pipewire', detail: probe.detail, refused: [] };
  const { missing, remedy } = probe;
  return { taken: 'silence', detail: '', refused: [{ rung: 'pipewire', missing, remedy }] };
}
