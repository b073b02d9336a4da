// The page of how a file is read: another encoding, delimiter or sheet shows at once how it looks then.
"use strict";

document.addEventListener("change", (event) => {
  const field = event.target;
  const form = field.closest("form.sms-reading");
  if (!form || !field.matches("select, input[type=number]") || !field.closest(".sms-reading-fields")) {
    return;
  }
  const again = form.querySelector("button[name=again]");
  if (again && field.checkValidity()) {
    form.requestSubmit(again);
  }
});
