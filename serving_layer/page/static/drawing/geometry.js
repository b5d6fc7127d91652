// Where things lie: the panels of a chart, its scales and their ticks. Pure; serving_layer/page/drawing/geometry.py is its twin.

/** Return a coordinate rounded to tenths, halves upwards, so that both twins write the same text. */
export const rounded = (value) => Math.floor(value * 10 + 0.5) / 10;

/** Return the panels of a chart of a size in pixels. */
export function layout(width, height) {
  const volume = Math.max(Math.floor(height * 0.16), 36);
  const bottom = height - 22;
  return { width, height, left: 6, right: width - 62, top: 34, bottom: bottom - volume - 8, volumeTop: bottom - volume, volumeBottom: bottom };
}

/** Return a scale from values to pixels: {y, low, high, log}. No value of at most 0 has a logarithm. */
export function scale(low, high, top, bottom, wantsLog) {
  const log = wantsLog && low > 0;
  if (low === high) [low, high] = low === 0 ? [-1, 1] : [low - Math.abs(low) * 0.01, high + Math.abs(high) * 0.01];
  const of = log ? Math.log : (value) => value;
  const margin = (of(high) - of(low)) * 0.04;
  const [from, to] = [of(low) - margin, of(high) + margin];
  return { log, low, high, y: (value) => rounded(bottom - ((of(value) - from) / (to - from)) * (bottom - top)) };
}

/** Return the ticks of a scale, about so many: [[value, text], ...], of 1, 2 or 5 times a power of ten. */
export function ticks({ low, high, log }, about) {
  if (log && high / low >= 5) return decades(low, high, about);
  const rough = (high - low) / Math.max(about, 1);
  const power = Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((each) => each * 10 ** power >= rough * (1 - 1e-9)) ?? 10;
  const digits = Math.max(factor === 10 ? -power - 1 : -power, 0);
  const step = factor * 10 ** power;
  const made = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high * (1 + 1e-12); at += 1) made.push([at * step, (at * step).toFixed(digits)]);
  return made;
}

function decades(low, high, about) {
  const powers = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) powers.push(power);
  const factors = powers.length * 3 <= about * 2 ? [1, 2, 5] : [1];
  return powers.flatMap((power) =>
    factors.map((each) => [each * 10 ** power, (each * 10 ** power).toFixed(Math.max(-power, 0))]).filter(([value]) => value >= low && value <= high),
  );
}
