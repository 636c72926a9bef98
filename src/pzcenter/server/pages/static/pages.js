/* What pages do beyond links, forms and htmx: copy, choose all, send large files in pieces. All of it works without, too. */
(function () {
  "use strict";

  document.addEventListener("click", async function (event) {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    const words = document.getElementById(button.dataset.copy).textContent;
    try {
      await navigator.clipboard.writeText(words);
      tell(button, "Copied");
    } catch {
      const range = document.createRange();
      range.selectNodeContents(document.getElementById(button.dataset.copy));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      tell(button, "Selected");
    }
  });

  function tell(button, words) {
    const before = button.textContent;
    button.textContent = words;
    setTimeout(function () { button.textContent = before; }, 1500);
  }

  function show(root) {
    root.querySelectorAll("[data-with-script]").forEach(function (each) { each.hidden = false; });
    root.querySelectorAll("[data-without-script]").forEach(function (each) { each.hidden = true; });
  }
  document.addEventListener("DOMContentLoaded", function () { show(document); });
  document.addEventListener("htmx:afterSwap", function (event) { show(event.target); });
  // Addresses say what was asked for, and no more.
  document.addEventListener("htmx:configRequest", function (event) {
    if (event.detail.verb !== "get") return;
    const fields = event.detail.formData;
    for (const name of new Set(fields.keys())) if (fields.getAll(name).every(function (each) { return each === ""; })) fields.delete(name);
  });
  // Errors are pages too: an answer that is none is shown in full.
  document.addEventListener("htmx:responseError", function () { location.reload(); });

  /* Uploads in pieces (tus 1.0): an upload that broke off goes on where it was. */
  const PIECE = 8 * 1024 * 1024;

  document.addEventListener("submit", function (event) {
    const form = event.target.closest("form[data-tus]");
    const chosen = form && form.querySelector("input[type=file]").files[0];
    if (!chosen) return;
    event.preventDefault();
    send(form, chosen).catch(function (error) { fail(form, error); });
  });

  function fail(form, error) {
    const place = form.querySelector("[data-tus-words]");
    place.textContent = String(error.message || error) + " Press the button to go on.";
    form.querySelector("button").disabled = false;
  }

  function encode(words) {
    return btoa(String.fromCharCode.apply(null, new TextEncoder().encode(words)));
  }

  async function ask(form, method, address, headers, body) {
    const more = { "Tus-Resumable": "1.0.0", "X-CSRF-Token": form.elements.csrf.value };
    const answer = await fetch(address, { method: method, headers: Object.assign(more, headers), body: body });
    if (answer.ok) return answer;
    let words = answer.status + " " + answer.statusText;
    try { words = (await answer.json()).detail || words; } catch { /* no words */ }
    const error = new Error(words);
    error.status = answer.status;
    throw error;
  }

  async function send(form, file) {
    const words = form.querySelector("[data-tus-words]");
    const bar = form.querySelector("progress");
    form.querySelector("button").disabled = true;
    bar.hidden = false;
    bar.max = Math.max(file.size, 1);
    const key = ["pz-upload", form.dataset.product, form.elements.role.value, file.name, file.size, file.lastModified].join("/");
    let address = sessionStorage.getItem(key);
    let offset = 0;
    if (address) {
      try {
        offset = Number((await ask(form, "HEAD", address, {})).headers.get("Upload-Offset"));
      } catch (error) {
        if (error.status === undefined) throw new Error("The server does not answer.");
        address = null;
      }
    }
    if (!address) {
      const meta = ["filename " + encode(file.name), "product " + encode(form.dataset.product), "role " + encode(form.elements.role.value)];
      const made = await ask(form, "POST", form.dataset.tus, { "Upload-Length": String(file.size), "Upload-Metadata": meta.join(",") });
      address = new URL(made.headers.get("Location"), location.href).pathname;
      sessionStorage.setItem(key, address);
    }
    let failures = 0;
    while (offset < file.size) {
      bar.value = offset;
      words.textContent = Math.floor(100 * offset / file.size) + " % of " + file.name;
      try {
        const piece = file.slice(offset, offset + PIECE);
        const answer = await ask(form, "PATCH", address, { "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(offset) }, piece);
        offset = Number(answer.headers.get("Upload-Offset"));
        failures = 0;
      } catch (error) {
        failures += 1;
        if (failures > 5 || (error.status && error.status < 500 && error.status !== 409)) throw error;
        words.textContent = "The connection broke; trying again.";
        await new Promise(function (go) { setTimeout(go, 500 * 2 ** failures); });
        offset = Number((await ask(form, "HEAD", address, {})).headers.get("Upload-Offset"));
      }
    }
    bar.value = bar.max;
    words.textContent = "All of " + file.name + " is there; looking into it.";
    sessionStorage.removeItem(key);
    location.assign("/upload/" + form.dataset.product + (form.elements.role.value === "main" ? "/columns" : "/files"));
  }
})();
