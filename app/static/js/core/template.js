/** A fresh copy of the one element in `<template id="{name}-template">`. */
export function fromTemplate(name) {
  /** @type {HTMLTemplateElement} */
  const template = document.querySelector(`#${name}-template`);
  return /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
}
