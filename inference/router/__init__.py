"""Sends each request to the expert that suits its prompt; it runs no model of that size itself."""
