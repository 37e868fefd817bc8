// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice The usual way to build what the clearing house does, as a baseline for measurements: one ERC-20 for each currency, with a
/// minter role.
contract BaselineToken is ERC20, AccessControl {
    bytes32 public constant MINTER = keccak256("MINTER");

    constructor(string memory name_, address minter) ERC20(name_, name_) {
        _grantRole(MINTER, minter);
    }

    function mint(address account, uint256 amount) external onlyRole(MINTER) {
        _mint(account, amount);
    }

    function burn(address account, uint256 amount) external onlyRole(MINTER) {
        _burn(account, amount);
    }
}

/// @notice Exchanges points in one transaction: burns one token, mints another, and pays the other merchant and the operator.
/// @dev It checks far less than the clearing house: no signature, nonce, deadline, cap or credit limit. It leaves no proof behind.
contract BaselineExchange is AccessControl {
    BaselineToken public immutable money;
    BaselineToken[] public programs;
    address public immutable operator;

    event Exchanged(address indexed member, uint256 source, uint256 target, uint256 points, uint256 out, bytes32 ref);

    constructor(uint256 count) {
        _grantRole(DEFAULT_ADMIN_ROLE, msg.sender);
        operator = msg.sender;
        money = new BaselineToken("CNY", address(this));
        for (uint256 i = 0; i < count; ++i) {
            programs.push(new BaselineToken("P", address(this)));
        }
    }

    function fund(address merchant, uint256 amount) external onlyRole(DEFAULT_ADMIN_ROLE) {
        money.mint(merchant, amount);
    }

    function issue(uint256 program, address member, uint256 points) external onlyRole(DEFAULT_ADMIN_ROLE) {
        programs[program].mint(member, points);
    }

    function exchange(
        uint256 source,
        uint256 target,
        address member,
        uint256 points,
        address payer,
        address payee,
        bytes32 ref
    ) external onlyRole(DEFAULT_ADMIN_ROLE) {
        uint256 out = points * 9 / 10;
        uint256 settled = out * 10_000;
        uint256 fee = settled / 1_000;
        programs[source].burn(member, points);
        programs[target].mint(member, out);
        require(money.balanceOf(payer) >= settled + fee, "liquidity");
        money.burn(payer, settled + fee);
        money.mint(payee, settled);
        money.mint(operator, fee);
        emit Exchanged(member, source, target, points, out, ref);
    }
}
