"""A run to a bundle: conversion measured, the model card, the learned urgency."""
