// Keeps numbers fresh while a page is open. Pages say everything without it.
"use strict";

for (const place of document.querySelectorAll("[data-live]")) {
  const source = new EventSource(place.dataset.live);
  source.addEventListener("numbers", (message) => {
    const numbers = JSON.parse(message.data);
    for (const target of place.querySelectorAll("[data-number]")) {
      const value = numbers[target.dataset.number];
      if (value !== undefined && target.textContent !== value) {
        target.textContent = value;
      }
    }
  });
  addEventListener("pagehide", () => source.close());
}
