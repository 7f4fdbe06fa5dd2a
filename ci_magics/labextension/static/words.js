/* Numbers and moments in words, the same in every locale. */

const UNITS = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
];

/** A plain integer with commas. */
export function integer(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Return the relative time of a moment: "3 minutes ago", "in 2 days". */
export function distance(moment, now = Date.now()) {
  const away = new Date(moment).getTime() - now;
  for (const [unit, length] of UNITS) {
    const count = Math.round(Math.abs(away) / length);
    if (count >= 1) {
      const words = `${count} ${unit}${count === 1 ? "" : "s"}`;
      return away < 0 ? `${words} ago` : `in ${words}`;
    }
  }
  return away < 0 ? "just now" : "in a moment";
}

/** A moment in full, in local time. */
export function inFull(moment) {
  const date = new Date(moment);
  const two = number => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}
