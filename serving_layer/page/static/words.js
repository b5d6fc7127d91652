// Numbers and instants as text. Dates stay the texts that they came as: no time zone can move them. Pure.

const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** Return a price with two decimals, or more where it has them and is small. */
export const price = (value) =>
  value == null ? "" : value.toFixed(Math.abs(value) < 1 && value !== 0 ? 4 : 2).replace(/\B(?=(\d{3})+(?!\d)(?=\.))/g, ",");

/** Return a count with commas. */
export const count = (value) => (value == null ? "" : grouped.format(value));

/** Return a change as a percentage with its sign. */
export const change = (value) =>
  value == null ? "" : `${value > 0 ? "+" : value < 0 ? "\u2212" : ""}${Math.abs(value * 100).toFixed(1)} %`;

/** Return an instant in UTC to the second. */
export const instant = (text) => (text ? `${text.slice(0, 10)} ${text.slice(11, 19)} UTC` : "");

/** Return bytes in the unit that fits. */
export function bytes(value) {
  const unit = value < 1000 ? 0 : Math.min(Math.floor(Math.log10(value) / 3), 4);
  return `${(value / 1000 ** unit).toFixed(unit ? 1 : 0)} ${["B", "kB", "MB", "GB", "TB"][unit]}`;
}

/** Return a number with the noun it counts. */
export const counted = (value, noun) => `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
