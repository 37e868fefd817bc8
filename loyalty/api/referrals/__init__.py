"""Referral schemes, codes and referrals over HTTP."""
