/** A fresh copy of the one element in `<template id="{name}-template">`. */
export function fromTemplate(name) {
  const template = document.getElementById(`${name}-template`);
  return template.content.firstElementChild.cloneNode(true);
}
