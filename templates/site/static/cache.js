// Says how old the page is, and what the cache did if the server tells it by Server-Timing. Without this script the
// page shows the time of its rendering alone.
const out = document.getElementById("cache");
const rendered = Date.parse(document.querySelector(".rendered time").dateTime);
const timing = performance.getEntriesByType("navigation")[0]?.serverTiming ?? [];
const outcome = timing.find((entry) => entry.name === "dogpile")?.description;
const seconds = Math.max(0, Math.round((performance.timeOrigin - rendered) / 1000));
const age = seconds === 0 ? "just before you got it" : `${seconds} s before you asked`;
out.textContent = outcome ? `, ${age} (${outcome})` : `, ${age}`;
