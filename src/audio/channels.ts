/** Channel orders: the device's interleave order is also PipeWire's name order here. */

/** PipeWire names in interleave order FL FR C LFE RL RR SL SR (GameStream §4.6). */
export function channelNames(channels: 2 | 6 | 8): readonly string[] {
  return ['FL', 'FR', 'FC', 'LFE', 'RL', 'RR', 'SL', 'SR'].slice(0, channels);
}
